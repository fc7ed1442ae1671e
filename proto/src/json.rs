//! The JSON form of a message, for `--json` and for HTTPS: fields by their names in the `.proto` files, listed
//! words instead of enum constants (`quasi-sensitive`), RFC 3339 times, hexadecimal bytes, absent fields left out.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value as Field,
};
use serde_json::{Map, Value};

use crate::{Instant, wire};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(wire::DESCRIPTORS).unwrap_or_default());

/// The JSON form of a message.
pub fn to_json<M: Message + Name>(message: &M) -> Value {
    let encoded = message.encode_to_vec();
    POOL.get_message_by_name(&M::full_name())
        .and_then(|descriptor| DynamicMessage::decode(descriptor, encoded.as_slice()).ok())
        .map_or(Value::Null, |message| object(&message))
}

fn object(message: &DynamicMessage) -> Value {
    if message.descriptor().full_name() == "google.protobuf.Timestamp" {
        return timestamp(message);
    }
    let mut fields = Map::new();
    for (field, value) in message.fields() {
        let value = json(&field, value);
        if !value.is_null() {
            fields.insert(field.name().to_owned(), value);
        }
    }
    Value::Object(fields)
}

fn timestamp(message: &DynamicMessage) -> Value {
    let number = |name: &str| message.get_field_by_name(name).map(|value| value.into_owned());
    let seconds = number("seconds").and_then(|value| value.as_i64()).unwrap_or_default();
    let nanos = number("nanos").and_then(|value| value.as_i32()).unwrap_or_default();
    Instant::new(seconds, nanos).map_or(Value::Null, |at| Value::String(at.to_string()))
}

fn json(field: &FieldDescriptor, value: &Field) -> Value {
    let kind = field.kind();
    if let Field::List(items) = value {
        return Value::Array(items.iter().map(|item| scalar(&kind, item)).collect());
    }
    if let (Field::Map(entries), Kind::Message(entry)) = (value, &kind) {
        let kind = entry.map_entry_value_field().kind();
        return Value::Object(entries.iter().map(|(key, value)| (map_key(key), scalar(&kind, value))).collect());
    }
    scalar(&kind, value)
}

fn map_key(key: &MapKey) -> String {
    key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned)
}

fn scalar(kind: &Kind, value: &Field) -> Value {
    match value {
        Field::Bool(it) => Value::Bool(*it),
        Field::I32(it) => Value::from(*it),
        Field::I64(it) => Value::from(*it),
        Field::U32(it) => Value::from(*it),
        Field::U64(it) => Value::from(*it),
        Field::F32(it) => Value::from(*it),
        Field::F64(it) => Value::from(*it),
        Field::String(it) => Value::String(it.clone()),
        Field::Bytes(it) => Value::String(hex::encode(it)),
        Field::EnumNumber(number) => kind.as_enum().map_or(Value::Null, |descriptor| word(descriptor, *number)),
        Field::Message(message) => object(message),
        Field::List(_) | Field::Map(_) => Value::Null,
    }
}

/// `LEVEL_QUASI_SENSITIVE` of `Level` is `quasi-sensitive`; what is unspecified is absent.
fn word(descriptor: &EnumDescriptor, number: i32) -> Value {
    if number == 0 {
        return Value::Null;
    }
    let Some(constant) = descriptor.get_value(number) else { return Value::from(number) };
    let mut prefix = String::new();
    for (index, letter) in descriptor.name().char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            prefix.push('_');
        }
        prefix.push(letter.to_ascii_uppercase());
    }
    prefix.push('_');
    let name = constant.name();
    Value::String(name.strip_prefix(&prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::wire::v1;

    #[test]
    fn words_times_bytes_and_maps_read_as_people_write_them() {
        let dataset = v1::Dataset {
            description: Some(v1::DatasetDescription {
                id: "capteurs".into(),
                title: BTreeMap::from([("fr".into(), "Capteurs".into())]),
                level: v1::Level::QuasiSensitive.into(),
                agreement_required: Some(false),
                ..Default::default()
            }),
            state: v1::DatasetState::Published.into(),
            revision: 2,
            registered: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 }),
            ..Default::default()
        };
        assert_eq!(
            to_json(&dataset),
            json!({
                "description": {"id": "capteurs", "title": {"fr": "Capteurs"}, "level": "quasi-sensitive", "agreement_required": false},
                "state": "published",
                "revision": 2,
                "registered": "2026-09-21T14:13:20Z",
            })
        );
        let object = v1::Object { sha256: vec![0xab, 1], ..Default::default() };
        assert_eq!(to_json(&object), json!({"sha256": "ab01"}));
    }
}
