//! Passcodes and responses as programs that others wrote compute them: PyOTP and oath (PyPI), oathtool.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use vestibule::clock::Entropy;
use vestibule::domain::oath::ocra::{Input, Suite};
use vestibule::domain::oath::{Algorithm, hotp, totp};
use vestibule::domain::secret::SecretBytes;
use vestibule::domain::timestamp::Timestamp;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
const SUITES: [&str; 8] = [
    "OCRA-1:HOTP-SHA1-6:QN08",
    "OCRA-1:HOTP-SHA256-6:QN08",
    "OCRA-1:HOTP-SHA256-8:QN08",
    "OCRA-1:HOTP-SHA512-10:QN08",
    "OCRA-1:HOTP-SHA256-8:C-QN08",
    "OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1",
    "OCRA-1:HOTP-SHA512-8:QN08-T1M",
    "OCRA-1:HOTP-SHA1-4:QA10",
];

/// What others say of each case.
fn others(cases: &[Value]) -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut run = Command::new(root.join(".cache/venv/bin/python"))
        .arg(root.join("tests/foreign/passcodes.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("./test installs Python and the libraries");
    run.stdin.take().unwrap().write_all(json!(cases).to_string().as_bytes()).unwrap();
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// random secrets, positions, lengths and questions.
#[test]
fn programs_of_others_compute_the_same() {
    let dice = Entropy::seeded(38);
    let pick = |from: u64, to: u64| from + dice.below(to - from + 1);
    let (mut cases, mut ours) = (Vec::new(), Vec::new());
    for number in 0..300 {
        let key = dice.secret(usize::try_from(pick(16, 64)).unwrap());
        let hex = data_encoding::HEXLOWER.encode(key.expose());
        let algorithm = ALGORITHMS[usize::try_from(dice.below(3)).unwrap()];
        let digits = u8::try_from(pick(6, 8)).unwrap();
        let name = algorithm.name();
        match number % 3 {
            0 => {
                let (period, seconds) = (pick(2, 12) * 10, dice.below(1 << 36));
                let at = Timestamp::from_seconds(i64::try_from(seconds).unwrap());
                let step = totp::step_at(at, u32::try_from(period).unwrap()).unsigned_abs();
                ours.push(hotp::passcode(&key, algorithm, digits, step));
                cases.push(json!({ "kind": "totp", "key": hex, "algorithm": name, "digits": digits, "period": period,
                    "seconds": seconds }));
            }
            1 => {
                let counter = dice.below(1 << 40);
                ours.push(hotp::passcode(&key, algorithm, digits, counter));
                cases.push(
                    json!({ "kind": "hotp", "key": hex, "algorithm": name, "digits": digits, "counter": counter }),
                );
            }
            _ => {
                let text = SUITES[usize::try_from(dice.below(8)).unwrap()];
                let question = if text.contains("QA10") {
                    format!("q{}", dice.below(1_000_000_000))
                } else {
                    format!("{:08}", dice.below(100_000_000))
                };
                let (counter, step, pin) = (dice.below(1 << 40), dice.below(1 << 32), dice.below(10_000).to_string());
                let suite: Suite = text.parse().unwrap();
                let input = Input { counter, step, question: &question, pin: &pin, session: b"" };
                ours.push(suite.response(&key, input).unwrap());
                cases.push(json!({ "kind": "ocra", "key": hex, "algorithm": name, "suite": text, "question": question,
                    "counter": counter, "step": step, "pin": pin }));
            }
        }
    }
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(others(&cases)) {
        assert!(!theirs.is_empty() && theirs.iter().all(|theirs| theirs == ours), "{case}: {ours} {theirs:?}");
    }
}

/// the same by oathtool, for both kinds and every hash function that it knows.
#[test]
fn oathtool_computes_the_same() {
    let dice = Entropy::seeded(6238);
    for _ in 0..20 {
        let key: SecretBytes = dice.secret(32);
        let hex = data_encoding::HEXLOWER.encode(key.expose());
        for algorithm in ALGORITHMS {
            let seconds = dice.below(1 << 32);
            let mode = format!("--totp={}", algorithm.name().to_lowercase());
            let at = format!("@{seconds}");
            let step = seconds / 60;
            let theirs = oathtool(&[&mode, "-d", "8", "-s", "60", "-N", &at, &hex]);
            assert_eq!(theirs, hotp::passcode(&key, algorithm, 8, step), "{algorithm:?} {seconds}");
        }
        let counter = dice.below(1 << 40);
        let theirs = oathtool(&["-d", "7", "-c", &counter.to_string(), &hex]);
        assert_eq!(theirs, hotp::passcode(&key, Algorithm::Sha1, 7, counter), "{counter}");
    }
}

fn oathtool(arguments: &[&str]) -> String {
    let run = Command::new("oathtool").args(arguments).output().expect("oathtool is installed by ./test");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}
