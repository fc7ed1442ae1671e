//! The disclosure control: which plans may run, and which cells may leave.
//!
//! ```text
//! Plan + Schemas --judge--> Judged (what to read, what to count) | Rejection
//! counted cells --Control: CellRules, suppress, the audit of earlier releases--> which cells leave
//!               --rounding--> what leaves of them
//! Ruling + keys of the cells that leave --keys_without_value--> declared keys that have no value
//! ```
//!
//! Pure: no I/O, no clock, no randomness. It decides on our own form of a plan ([`plan`]) and knows no query engine, so
//! that what it allows can be read here alone. Trusts whoever made the plan to run that plan and no other, and to count
//! what [`Judged::counts`] asks for. Does not give: protection from what several answers say together, from one subject
//! who makes up most of a cell, or from arithmetic chosen to single a subject out; those rules come on top of these.

pub mod budget;
pub mod calendar;
pub mod control;
pub mod expression;
pub mod history;
pub mod judge;
pub mod noise;
pub mod plan;
pub mod policy;
pub mod rounding;
pub mod rules;
pub mod schema;
pub mod space;
pub mod statistics;
pub mod suppress;
mod typing;

pub use control::{
    Control, CountedCell, Finest, FinestCell, Measure, Number, Part, Place, Quantile, ReleasedRow, Sides, Total,
};
pub use expression::{Arithmetic, Comparison, Expression, Function, Literal};
pub use judge::{
    Rejection,
    roles::{CountedUnit, Figure, Objection, Quantity, Ruling, Scope, judge_by},
};
pub use plan::{
    Aggregate, Aggregation, Join, JoinKind, OutputColumn, Plan, Regression, RowColumn, Rows, Scan, SortKey, Step,
};
pub use policy::{Policies, PolicyError};
pub use rules::CellRules;
pub use schema::{Column, Digits, SchemaError, Schemas, Table, Type};
pub use typing::type_of;
