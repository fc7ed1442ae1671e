//! The few functions that are ours: over floats, and the quotient of whole numbers, which is missing where SQL engines
//! fail.

use std::{hash::Hash, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array},
    datatypes::{DataType, Decimal128Type, Float64Type, Int64Type},
};
use datafusion::{
    common::{DataFusionError, exec_datafusion_err},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility},
};
use octroi_release::noise::Clamp;

/// Ours of this name, for the planner.
pub(super) fn own(name: &str) -> Option<Arc<ScalarUDF>> {
    let operation = match name {
        "floor" => Rounding::Floor,
        "ceil" | "ceiling" => Rounding::Ceiling,
        "round" => Rounding::Round,
        "abs" => Rounding::Absolute,
        "bin" => return Some(bin()),
        _ => return None,
    };
    Some(rounding(operation))
}

/// One of them.
pub(super) fn rounding(operation: Rounding) -> Arc<ScalarUDF> {
    let one = TypeSignature::Exact(vec![DataType::Float64]);
    let signature = match operation {
        Rounding::Round => {
            TypeSignature::OneOf(vec![one, TypeSignature::Exact(vec![DataType::Float64, DataType::Int64])])
        }
        Rounding::Floor | Rounding::Ceiling | Rounding::Absolute => one,
    };
    Arc::new(ScalarUDF::from(OfFloat { operation, signature: Signature::new(signature, Volatility::Immutable) }))
}

/// The quotient, or the remainder, of decimals of 38 digits and none after the point.
pub(super) fn quotient(remainder: bool) -> Arc<ScalarUDF> {
    let signature = Signature::exact(vec![WIDE, WIDE], Volatility::Immutable);
    Arc::new(ScalarUDF::from(Quotient { remainder, signature }))
}

/// A float held to the bounds of a clamp; as a whole number of its steps, if that is asked for.
pub(super) fn held(clamp: Clamp, steps: bool) -> Arc<ScalarUDF> {
    let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
    Arc::new(ScalarUDF::from(Held { bits: clamp.to_bits(), steps, signature }))
}

/// The number of a declared bin: for the planner alone. What a table's bins are, the judge knows, and writes out.
fn bin() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Bin { signature: Signature::any(1, Volatility::Immutable) }))
}

/// What is done to a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rounding {
    Floor,
    Ceiling,
    /// To so many digits after the point; to none if nothing is said.
    Round,
    Absolute,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfFloat {
    operation: Rounding,
    signature: Signature,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bin {
    signature: Signature,
}

impl ScalarUDFImpl for Bin {
    fn name(&self) -> &str {
        "bin"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        Err(exec_datafusion_err!("bins are written out before anything runs"))
    }
}

impl ScalarUDFImpl for OfFloat {
    fn name(&self) -> &str {
        match self.operation {
            Rounding::Floor => "floor",
            Rounding::Ceiling => "ceil",
            Rounding::Round => "round",
            Rounding::Absolute => "abs",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let values = first(&columns)?.as_primitive::<Float64Type>();
        let computed: Float64Array = match (self.operation, columns.get(1)) {
            (Rounding::Floor, _) => values.unary(f64::floor),
            (Rounding::Ceiling, _) => values.unary(f64::ceil),
            (Rounding::Absolute, _) => values.unary(f64::abs),
            (Rounding::Round, None) => values.unary(f64::round),
            (Rounding::Round, Some(digits)) => {
                let pairs = values.iter().zip(digits.as_primitive::<Int64Type>());
                pairs.map(|(value, digits)| Some(rounded(value?, digits?))).collect()
            }
        };
        Ok(ColumnarValue::Array(Arc::new(computed)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Held {
    /// The clamp's bounds.
    bits: [u64; 2],
    steps: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Held {
    fn name(&self) -> &str {
        if self.steps { "octroi_steps" } else { "octroi_held" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(if self.steps { DataType::Int64 } else { DataType::Float64 })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [low, high] = self.bits.map(f64::from_bits);
        let clamp = Clamp::new(low, high).ok_or_else(|| exec_datafusion_err!("a clamp has bounds"))?;
        let values = first(&columns)?.as_primitive::<Float64Type>();
        Ok(ColumnarValue::Array(if self.steps {
            Arc::new(values.unary::<_, Int64Type>(|value| clamp.steps(value)))
        } else {
            Arc::new(values.unary::<_, Float64Type>(|value| clamp.held(value)))
        }))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quotient {
    remainder: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Quotient {
    fn name(&self) -> &str {
        if self.remainder { "octroi_remainder" } else { "octroi_quotient" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(WIDE)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [dividends, divisors] = columns.as_slice() else {
            return Err(exec_datafusion_err!("a quotient has two arguments"));
        };
        let pairs = dividends.as_primitive::<Decimal128Type>().iter().zip(divisors.as_primitive::<Decimal128Type>());
        let divide = if self.remainder { i128::checked_rem } else { i128::checked_div };
        let computed: Decimal128Array = pairs.map(|(dividend, divisor)| divide(dividend?, divisor?)).collect();
        Ok(ColumnarValue::Array(Arc::new(computed.with_data_type(WIDE))))
    }
}

fn rounded(value: f64, digits: i64) -> f64 {
    let digits = i32::try_from(digits.clamp(-MOST_DIGITS, MOST_DIGITS)).unwrap_or_default();
    let factor = 10_f64.powi(digits);
    let scaled = value * factor;
    if scaled.is_finite() { scaled.round() / factor } else { value }
}

fn first(columns: &[ArrayRef]) -> Result<&dyn Array, DataFusionError> {
    columns.first().map(AsRef::as_ref).ok_or_else(|| exec_datafusion_err!("a function has an argument"))
}

const WIDE: DataType = DataType::Decimal128(38, 0);
/// Beyond this a float has no digits.
const MOST_DIGITS: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_digits_keeps_what_is_too_large_to_round() {
        assert_eq!(rounded(2.675, 1), 2.7);
        assert_eq!(rounded(1234.5, -2), 1200.0);
        assert_eq!(rounded(f64::MAX, 300), f64::MAX);
        assert_eq!(rounded(0.5, i64::MAX), 0.5);
    }
}
