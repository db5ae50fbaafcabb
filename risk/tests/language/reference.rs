//! The manual has the tables that follow from the code.

#[test]
fn the_manual_has_the_tables_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
    let manual = std::fs::read_to_string(path).expect("the manual of rules");
    let (begin, end) = ("<!-- made by `cardswitch rules fields --markdown` -->\n\n", "\n<!-- end -->");
    let made =
        manual.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("the marks around it").0;
    let want = risk::language::reference::markdown();
    assert_eq!(
        made, want,
        "put the output of `cardswitch rules fields --markdown` between the marks of docs/rules.md"
    );
}
