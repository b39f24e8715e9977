//! The binary when somebody starts it by hand.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_change-password");
    Command::new(binary).args(arguments).env_clear().output().unwrap()
}

#[test]
fn version_prints_the_version_of_the_manifest() {
    let Output { status, stdout, .. } = run(&["--version"]);
    assert!(status.success());
    let expected = concat!("change-password ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8(stdout).unwrap(), expected);
}

#[test]
fn check_settings_reads_the_policy_and_names_a_fault_without_lambda() {
    let check = |policy: &str| {
        let binary = env!("CARGO_BIN_EXE_change-password");
        let mut command = Command::new(binary);
        command.arg("--check-settings").env_clear().env("USER_POOL_ID", "eu-west-1_Ab12Cd34E");
        let Output { status, stdout, stderr } =
            command.env("PASSWORD_POLICY", policy).output().unwrap();
        (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (is_valid, stdout, stderr) = check("profile = \"asvs-5\"");
    assert!(is_valid, "{stderr}");
    assert_eq!(stdout, "The settings are valid.\n");
    let (is_valid, _, stderr) = check("[length]\nminimum = 12");
    assert!(!is_valid);
    assert!(stderr.contains("PASSWORD_POLICY") && stderr.contains("minimum"), "{stderr}");
}

#[test]
fn outside_lambda_it_fails_and_names_the_ways_to_run_it() {
    let Output { status, stderr, .. } = run(&[]);
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!status.success());
    for part in ["AWS_LAMBDA_RUNTIME_API", "`cargo lambda watch`", "`make dev`"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}
