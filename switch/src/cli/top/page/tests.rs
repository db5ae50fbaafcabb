//! Pages that are read, and lines that are none.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn a_page_is_read_and_others_series_are_left_out() {
    let page = Page::parse(concat!(
        "# TYPE cardswitch_requests_total counter\n",
        "cardswitch_requests_total{dialect=\"pos\",kind=\"purchase\"} 3\n",
        "cardswitch_requests_total{dialect=\"pos\",kind=\"load\"} 4\n",
        "cardswitch_requests_total{dialect=\"atm\",kind=\"purchase\",} 5 1795217405000\n",
        "\n",
        "cardswitch_connections 12\n",
        "cardswitch_answer_seconds_bucket{le=\"+Inf\"} 1e3\n",
        "process:other{path=\"a\\\\b\\\"c\\nd\"}\tNaN\n",
    ))
    .unwrap();
    assert_eq!(page.value("connections"), Some(12.0));
    assert_eq!(page.value("requests_total"), Some(12.0));
    assert_eq!(page.value("requests"), None);
    let by_dialect: Vec<_> = page.by_label("requests_total", "dialect").into_iter().collect();
    assert_eq!(by_dialect, [("atm", 5.0), ("pos", 7.0)]);
    assert_eq!(page.by_label("answer_seconds_bucket", "le")["+Inf"], 1000.0);
    assert_eq!(page.series.len(), 5, "{page:?}");
}

#[test]
fn a_malformed_line_is_named_with_its_rule() {
    let rows = [
        ("a name that begins with a digit", "9a 1", Rule::Name),
        ("no name", "{a=\"b\"} 1", Rule::Name),
        ("a name with a dash", "a-b 1", Rule::Name),
        ("no value", "a", Rule::Value),
        ("a word for a value", "a one", Rule::Value),
        ("a time that is no number", "a 1 now", Rule::Value),
        ("something behind the time", "a 1 2 3", Rule::Value),
        ("braces that never close", "a{b=\"c\" 1", Rule::Labels),
        ("a value that never closes", "a{b=\"c} 1", Rule::Labels),
        ("a value without quotes", "a{b=c} 1", Rule::Labels),
        ("no comma between labels", "a{b=\"c\"d=\"e\"} 1", Rule::Labels),
        ("a label without name", "a{=\"c\"} 1", Rule::Labels),
        ("an unknown escape", "a{b=\"\\t\"} 1", Rule::Escape),
        ("a label twice", "a{b=\"c\",b=\"d\"} 1", Rule::LabelTwice),
        ("a series twice", "cardswitch_b 1\ncardswitch_b 1", Rule::SeriesTwice),
        (
            "labels in another order",
            "cardswitch_b{c=\"\",d=\"\"} 1\ncardswitch_b{d=\"\",c=\"\"} 1",
            Rule::SeriesTwice,
        ),
    ];
    for (name, text, rule) in rows {
        let line = text.lines().count();
        assert_eq!(Page::parse(text), Err(PageError::Line { line, rule }), "{name}");
    }
    assert_eq!(Page::parse("# nothing\nother_total 1\n"), Err(PageError::Foreign));
    let error = PageError::Line { line: 7, rule: Rule::Value };
    assert!(error.to_string().starts_with("line 7 of the page: behind the name"), "{error}");
}

#[test]
fn only_what_may_not_shrink_tells_of_a_restart() {
    let page = |text: &str| Page::parse(text).unwrap();
    let before = page("cardswitch_a_total 5\ncardswitch_connections 5\n");
    for (after, fell) in [
        ("cardswitch_a_total 5\ncardswitch_connections 1\n", false),
        ("cardswitch_a_total 4\ncardswitch_connections 5\n", true),
        ("cardswitch_connections 5\n", false),
    ] {
        assert_eq!(page(after).fell_behind(&before), fell, "{after}");
    }
}

#[test]
fn labels_come_back_as_they_were_written() {
    for value in ["", "pos", "a b", "quote \" and \\ and \n", "}{,=", "é–漢"] {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let page = Page::parse(&format!("cardswitch_a{{b=\"{escaped}\"}} 1\n")).unwrap();
        assert_eq!(page.by_label("a", "b").into_keys().collect::<Vec<_>>(), [value], "{escaped}");
    }
}

#[test]
fn no_damage_to_a_page_panics_or_adds_a_series() {
    let whole = "cardswitch_a{b=\"c\",d=\"é\\n\"} 1.5 7\ncardswitch_b_total 2\n# end\n";
    let series = Page::parse(whole).unwrap().series.len();
    for (at, _) in whole.char_indices() {
        for other in ["", "\"", "\\", "{", "}", ",", "=", " ", "\n", "9", "é"] {
            let next = at + whole[at..].chars().next().map_or(0, char::len_utf8);
            let damaged = format!("{}{other}{}", &whole[..at], &whole[next..]);
            // A line that is cut in two may be a series and a foreign one; it is never two of ours.
            let read = Page::parse(&damaged).map_or(0, |page| page.series.len());
            assert!(read <= series, "{damaged}");
            let _may_be_malformed = Page::parse(&whole[..at]);
        }
    }
}
