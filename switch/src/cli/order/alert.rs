//! What is ordered of alerts, for whoever is to sign it.

use crate::{books::alerts::AlertStep, journal::Seq};

pub(super) fn handled(alert: Seq, step: &AlertStep) -> String {
    match step {
        AlertStep::Assign(to) => format!("{to} looks at alert {alert}"),
        AlertStep::Dispose(what) => format!("alert {alert} was {}", what.name()),
    }
}

pub(super) fn snoozed(alert: Seq, rule: &str, until: &str) -> String {
    format!(
        "rule {rule} has no effect for the card of alert {alert} until {until}; a time that is over ends it"
    )
}
