//! Padding: an answer's size on the wire is a power of two, at least 4 KiB, released and refused alike.

use octroi_proto::wire::v1;
use prost::Message as _;

/// The answer with zeros, so that its encoding is a power of two long.
pub fn padded(answer: v1::Answer) -> v1::Answer {
    let mut answer = v1::Answer { padding: Vec::new(), ..answer };
    let bare = answer.encoded_len();
    let mut target = shape(bare);
    loop {
        if let Some(zeros) = zeros(target - bare) {
            answer.padding = vec![0; zeros];
            return answer;
        }
        target *= 2;
    }
}

/// JSON text with spaces behind it, so that it is a power of two long.
pub fn padded_json(mut text: String) -> String {
    text.extend(std::iter::repeat_n(' ', shape(text.len()) - text.len()));
    text
}

/// The size that this many bytes are shown as.
fn shape(bytes: usize) -> usize {
    bytes.next_power_of_two().max(LEAST)
}

/// How many zeros fill a gap once the field's tag and length are counted; `None` where a length in one more byte
/// overshoots it.
fn zeros(gap: usize) -> Option<usize> {
    if gap == 0 {
        return Some(0);
    }
    (1..=10).filter_map(|length| gap.checked_sub(1 + length)).find(|zeros| *zeros > 0 && field(*zeros) == gap)
}

/// Bytes of the padding field with so many zeros in it.
fn field(zeros: usize) -> usize {
    1 + prost::length_delimiter_len(zeros) + zeros
}

const LEAST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: usize) -> v1::Answer {
        let refusal = v1::QueryRefusal { code: "x".repeat(text), text: String::new() };
        v1::Answer { refusal: Some(refusal), ..v1::Answer::default() }
    }

    #[test]
    fn every_answer_is_a_power_of_two_long() {
        for text in (0..9_000).chain(65_000..65_600) {
            let bare = answer(text).encoded_len();
            let padded = padded(answer(text));
            let length = padded.encoded_len();
            assert!(length.is_power_of_two() && length >= LEAST, "{text}: {length}");
            assert!(length <= 4 * bare.max(LEAST), "{text}: {length}");
            assert_eq!(v1::Answer { padding: Vec::new(), ..padded }, answer(text));
        }
    }

    #[test]
    fn gaps_that_no_field_fills_are_left_to_the_next_power() {
        let unfilled: Vec<_> = (0..20_000).filter(|gap| zeros(*gap).is_none()).collect();
        assert_eq!(unfilled, [1, 2, 130, 16_387]);
    }

    #[test]
    fn json_is_padded_with_spaces_and_still_json() {
        for length in [0, 1, 4_000, 4_094, 4_095, 5_000, 70_000] {
            let padded = padded_json(format!("\"{}\"", "x".repeat(length)));
            assert!(padded.len().is_power_of_two() && padded.len() >= LEAST);
            assert_eq!(serde_json::from_str::<String>(&padded).unwrap().len(), length);
        }
    }
}
