//! `cardswitch ledger chart`: accounts, what operations post, and where income goes, as tables.

use std::io::Write;

use crate::{
    audit::chart::{ChartView, chart_view},
    cli::{
        Failure,
        source::{From, new_table, right_align},
    },
};

pub(super) fn run(from: &From, out: &mut dyn Write) -> Result<(), Failure> {
    let found: ChartView = from.look(chart_view, "/ledger/chart")?;
    from.print(&found, out, show)
}

fn show(chart: &ChartView, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = new_table(&["account", "currency", "accounts"]);
    for account in &chart.accounts {
        table.add_row([
            account.account.clone(),
            format!("{:03}", account.currency),
            account.accounts.to_string(),
        ]);
    }
    right_align(&mut table, &[2]);
    writeln!(out, "{table}\n")?;
    let mut table = new_table(&["operation", "takes from", "gives to"]);
    for rule in &chart.operations {
        table.add_row([rule.operation.clone(), rule.takes.join(", "), rule.gives.join(", ")]);
    }
    writeln!(out, "{table}\n")?;
    let mut table = new_table(&["rule", "income of", "fits", "goes to"]);
    for rule in &chart.income {
        let to: Vec<String> = match rule.to.split_last() {
            Some(((last, _), [])) => vec![last.clone()],
            Some(((last, _), others)) => {
                let parts = others.iter().map(|(account, permille)| format!("{account} {permille} permille"));
                parts.chain([format!("{last} the rest")]).collect()
            }
            None => Vec::new(),
        };
        table.add_row([rule.name.clone(), rule.of.clone(), rule.fits.clone(), to.join(", ")]);
    }
    let blank = String::new;
    table.add_row([blank(), "everything else".to_owned(), "any".to_owned(), "fees".to_owned()]);
    writeln!(out, "{table}\n")?;
    match chart.version {
        0 => writeln!(out, "the built-in chart"),
        version => writeln!(out, "chart {version} of this journal"),
    }
}
