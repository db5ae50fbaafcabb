//! What the search says at its end: a table for people, or JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::found::{Finding, Looked};

/// Findings of one kind in one part of a place that are told one by one.
const TOLD: usize = 4;

/// Everything that was looked at, and what was looked for.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many secrets.
    pub secrets: usize,
    /// In how many forms altogether.
    pub needles: usize,
    /// Requests sent while the switch was watched.
    pub sent: usize,
    /// Approved among them.
    pub approved: usize,
    /// Where was looked.
    pub places: Vec<Looked>,
    /// What makes the search itself doubtful.
    pub doubts: Vec<String>,
}

impl Report {
    /// Whether nothing was found where nothing may be, and the search could have found it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let held_against = self.places.iter().filter(|place| !place.for_information);
        self.doubts.is_empty() && held_against.flat_map(|place| &place.findings).next().is_none()
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self { secrets, needles, sent, approved, .. } = self;
        writeln!(out, "{sent} requests, {approved} approved; {secrets} secrets, {needles} forms of them")?;
        writeln!(out, "{:<44} {:>12} {:>8} {:>8}", "place", "bytes", "hits", "exempt")?;
        for place in &self.places {
            let exempt: usize = place.exempt.values().sum();
            let Looked { name, bytes, findings, for_information, .. } = place;
            let note = if *for_information { "  (for information)" } else { "" };
            writeln!(out, "{name:<44} {bytes:>12} {:>8} {exempt:>8}{note}", findings.len())?;
        }
        for place in &self.places {
            for (what, count) in &place.exempt {
                writeln!(out, "exempt in {}: {count} × {what}", place.name)?;
            }
        }
        for place in self.places.iter().filter(|place| !place.findings.is_empty()) {
            writeln!(out, "\n{}:", place.name)?;
            for group in groups(&place.findings) {
                write_group(out, &group)?;
            }
        }
        self.doubts.iter().try_for_each(|doubt| writeln!(out, "doubtful: {doubt}"))?;
        writeln!(out, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "kind": finding.kind.name(), "secret": finding.secret, "form": finding.form, "place": finding.place,
                "at": format!("{:#x}", finding.at), "length": finding.length, "around": finding.around,
            })
        };
        let place = |place: &Looked| {
            let findings: Vec<Value> = place.findings.iter().map(finding).collect();
            json!({
                "name": place.name, "bytes": place.bytes, "hits": place.findings.len(), "exempt": place.exempt,
                "for_information": place.for_information, "findings": findings,
            })
        };
        json!({
            "clean": self.is_clean(), "secrets": self.secrets, "forms": self.needles, "requests": self.sent,
            "approved": self.approved, "doubts": self.doubts,
            "places": self.places.iter().map(place).collect::<Vec<_>>(),
        })
    }
}

/// Findings of the same kind in the same part of a place.
fn groups(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| (finding.place.clone(), finding.kind, finding.at));
    let same = |a: &&Finding, b: &&Finding| (&a.place, a.kind) == (&b.place, b.kind);
    sorted.chunk_by(same).map(<[&Finding]>::to_vec).collect()
}

fn write_group(out: &mut String, group: &[&Finding]) -> std::fmt::Result {
    let Some(first) = group.first() else { return Ok(()) };
    writeln!(out, "  {} × {} in {}", group.len(), first.kind.name(), first.place)?;
    for Finding { secret, form, at, length, around, .. } in group.iter().take(TOLD) {
        writeln!(out, "    {at:#014x}  {secret}, {form}, {length} bytes: {around}")?;
    }
    if group.len() > TOLD {
        writeln!(out, "    …")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Kind;

    #[test]
    fn a_hit_is_held_against_the_switch_unless_it_is_for_information() {
        let finding = Finding {
            kind: Kind::ZoneKey,
            secret: "PIN of 31060110".to_owned(),
            form: "in binary",
            place: "[heap]".to_owned(),
            at: 0x5581_c000_0010,
            length: 16,
            around: "00[…]99".to_owned(),
        };
        let place = |for_information, findings: &[Finding]| Looked {
            name: "memory".to_owned(),
            bytes: 100,
            findings: findings.to_vec(),
            for_information,
            ..Looked::default()
        };
        let report = |places: Vec<Looked>, doubts: &[&str]| Report {
            places,
            doubts: doubts.iter().map(|doubt| (*doubt).to_owned()).collect(),
            ..Report::default()
        };
        let found = std::slice::from_ref(&finding);
        let rows = [
            ("nothing found", report(vec![place(false, &[])], &[]), true),
            ("something found", report(vec![place(true, &[]), place(false, found)], &[]), false),
            ("found for information", report(vec![place(true, found)], &[]), true),
            ("nothing found by a blind search", report(vec![place(false, &[])], &["blind"]), false),
        ];
        for (name, report, clean) in rows {
            assert_eq!(report.is_clean(), clean, "{name}");
            assert_eq!(report.text().contains("NOT CLEAN"), !clean, "{name}");
            assert_eq!(report.json()["clean"], clean, "{name}");
        }
        let told = report(vec![place(false, &vec![finding; 9])], &[]).text();
        assert!(
            told.contains("9 × zone key in [heap]") && told.matches("in binary").count() == TOLD,
            "{told}"
        );
    }
}
