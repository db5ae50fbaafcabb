//! A configuration that is wrong stops the process with exit code 64, the setting's name on standard error, before a
//! port opens or a folder is made.

use std::{net::TcpListener, path::Path};

use switch_tests::{city::City, process::Launch};

use crate::PROGRAM;

/// The sample configuration with absolute paths, its ports taken, and `change` applied.
fn configuration(change: &dyn Fn(String) -> String, ports: [u16; 2]) -> String {
    let city = City::folder();
    let text = std::fs::read_to_string(city.join("cardswitch.toml")).expect("the sample configuration");
    let replaced = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "the sample configuration has no {from}");
        text.replace(from, to)
    };
    let text = replaced(&text, "dir = \".\"", &format!("dir = \"{}\"", city.display()));
    let text = replaced(&text, "keys = \"keys.toml\"", &format!("keys = \"{}/keys.toml\"", city.display()));
    let text = replaced(&text, "127.0.0.1:18583", &format!("127.0.0.1:{}", ports[0]));
    let text = replaced(&text, "127.0.0.1:18580", &format!("127.0.0.1:{}", ports[1]));
    change(text)
}

type Change<'a> = &'a dyn Fn(String) -> String;

fn replacing<'a>(from: &'a str, to: &'a str) -> impl Fn(String) -> String + 'a {
    move |text| {
        assert!(text.contains(from), "the sample configuration has no {from}");
        text.replace(from, to)
    }
}

#[test]
fn a_wrong_setting_is_named_before_anything_opens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let garbage = folder.path().join("garbage.toml");
    std::fs::write(&garbage, "this = \"is no key file\"").expect("a file");
    // Both ports are taken. Had the program tried to open one, that is what it would complain of.
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let ports = [&taken[0], &taken[1]].map(|port| port.local_addr().expect("an address").port());
    let keys = format!("keys = \"{}/keys.toml\"", City::folder().display());
    let no_keys = format!("keys = \"{}\"", folder.path().join("nowhere.toml").display());
    let not_keys = format!("keys = \"{}\"", garbage.display());
    let rows: [(&str, Change<'_>, &str); 7] = [
        ("an unknown setting", &replacing("[limits]", "[limits]\npermitz = 1"), "limits.permitz"),
        ("an unknown section", &|text| text + "\n[extra]\nthing = 1\n", "extra.thing"),
        ("a number out of range", &replacing("permits = 16384", "permits = 0"), "limits.permits"),
        ("a word that is none", &replacing("level = \"info\"", "level = \"loud\""), "log.level"),
        ("a required setting left out", &replacing("mode = \"test\"", ""), "hsm.mode"),
        ("a key file that is not there", &replacing(&keys, &no_keys), "hsm.keys"),
        ("a key file that is none", &replacing(&keys, &not_keys), "hsm.keys"),
    ];
    for (name, change, setting) in rows {
        let file = folder.path().join("cardswitch.toml");
        std::fs::write(&file, configuration(change, ports)).expect("a file");
        let data = folder.path().join("data");
        check(&bare(&data), &file, name, setting);
    }
    let file = folder.path().join("cardswitch.toml");
    std::fs::write(&file, configuration(&|text| text, ports)).expect("a file");
    let overridden = bare(&folder.path().join("data")).set("LIMITS__IDLE_S", "never");
    check(&overridden, &file, "an override that is no number", "limits.idle_s");
    // Nothing else being wrong, the port is; the folder is there by then.
    let output = bare(&folder.path().join("data")).run_to_end(&file);
    assert_eq!(output.status.code(), Some(64), "a port that is taken");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pos.listen"));
}

/// A launch that overrides nothing: the file decides.
fn bare(data: &Path) -> Launch {
    Launch::bare(PROGRAM, data)
}

fn check(launch: &Launch, file: &Path, name: &str, setting: &str) {
    let output = launch.run_to_end(file);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{name}: {stderr}");
    assert!(stderr.contains(setting), "{name}: {stderr}");
    assert!(!launch.data().exists(), "{name}: nothing is made before the configuration is right");
}
