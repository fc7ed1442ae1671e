//! Each answer has its receipt, and anyone can check it.

use std::fs;

use octroi_tests::rows;

use super::{COUNT, metered};

#[test]
fn a_receipt_is_checked_offline_and_no_byte_of_it_can_be_changed() {
    let city = metered(&[]);
    let receipt = city.beside("receipt.json");
    let receipt_path = receipt.to_str().unwrap();
    let words = ["--dataset", "energie", "--purpose", "research", "--json", "--receipt", receipt_path, COUNT];
    let answer = city.query("lena", &words).expect().json();
    assert_eq!(rows(&answer).len(), 1);
    let checkpoint = city.beside("checkpoint");
    // A later checkpoint than the receipt's own serves as well.
    city.ask("lena", "energie", COUNT);
    fs::write(&checkpoint, city.curl(&[&city.public("log/checkpoint")]).expect(200).body).unwrap();
    let verify =
        |receipt: &str| city.octroi("lena", &["verify", receipt, "--checkpoint", checkpoint.to_str().unwrap()]);
    let said = verify(receipt_path).expect();
    assert!(said.out.contains("host-signed launch measurement") && said.out.contains("vm"), "{}", said.out);

    let bytes = fs::read(&receipt).unwrap();
    let copy = city.beside("altered.json");
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        fs::write(&copy, &altered).unwrap();
        let said = verify(copy.to_str().unwrap());
        assert!(!said.ok, "byte {at} was changed and nobody noticed: {}", said.out);
    }
}
