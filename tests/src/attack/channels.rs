//! What is told by something else than numbers: order, errors, sizes, refusals, and what stands out.

use super::{
    claims::Claim,
    gate::{Gate, Who},
    question::{
        Condition::{self, Among, Flag},
        Figure, Of, Question, by, col, figure, is, rows,
    },
    seen::Seen,
    table::Value,
    town::{DISTRICTS, Few, Known, NOT_HERDING, Secret, WORKS},
};

/// Claims of an attack.
pub type Claims = Vec<Claim>;

fn claim(target: usize, guess: bool) -> Claim {
    Claim { target, guess }
}

/// What a figure of the few alone is, by the secret, and above what number it says yes.
fn standing(secret: Secret) -> (Figure, f64) {
    let few = |of| figure(of).only(is("work", "farmer"));
    match secret {
        Secret::Benefit => (rows().only(Flag("benefit", true)).only(is("work", "farmer")), 0.5),
        Secret::Income => (few(Of::Mean("income")), 3_750.0),
        Secret::Owes => (few(Of::Mean("owes")), 0.5),
        _ => (few(Of::Rows), 5.0),
    }
}

/// Claims from which districts are shown; none if all are, or none is.
fn by_showing(seen: &Seen) -> Claims {
    let shown = |district: &&str| seen.row(&[district]).is_some_and(|row| row.figures.iter().any(Option::is_some));
    let shown: Vec<bool> = DISTRICTS.iter().map(shown).collect();
    by_difference(&shown)
}

/// A signal that is the same for all says nothing.
fn by_difference(signals: &[bool]) -> Claims {
    if signals.iter().all(|it| *it == signals[0]) {
        return Vec::new();
    }
    signals.iter().enumerate().map(|(target, signal)| claim(target, *signal)).collect()
}

// --- Order: HAVING, ORDER BY and LIMIT on what is not shown.

/// HAVING on a figure of the few.
pub fn having(gate: &mut dyn Gate, secret: Secret) -> Claims {
    let question = by([col("district")]).tell(rows());
    by_showing(&gate.ask(Who::Lena, &Question { above: Some(standing(secret)), ..question }))
}

/// ORDER BY a figure of the few: the first third is said to be above the middle, the last one below.
pub fn order(gate: &mut dyn Gate, secret: Secret) -> Claims {
    let question = by([col("district")]).tell(rows());
    let seen = gate.ask(Who::Lena, &Question { largest: Some((standing(secret).0, None)), ..question });
    let of = |(place, row): (usize, &super::seen::Row)| {
        let target = DISTRICTS.iter().position(|district| row.keys[0] == *district)?;
        let extreme = !(THIRD..2 * THIRD).contains(&place);
        (extreme && row.figures.iter().any(Option::is_some)).then(|| claim(target, place < THIRD))
    };
    seen.rows().iter().enumerate().filter_map(of).collect()
}

/// LIMIT behind it: who is among the first third is above the middle, who is not among two thirds below.
pub fn limit(gate: &mut dyn Gate, secret: Secret) -> Claims {
    let mut shown = |most| {
        let question = by([col("district")]).tell(rows());
        by_showing(&gate.ask(Who::Lena, &Question { largest: Some((standing(secret).0, Some(most))), ..question }))
    };
    let (first, most) = (shown(THIRD), shown(2 * THIRD));
    first.into_iter().filter(|it| it.guess).chain(most.into_iter().filter(|it| !it.guess)).collect()
}

// --- Errors: an expression that fails for the few if the secret is true (DESIGN.md, 8: what DataFusion's errors say).

/// Asks for each district until it is clear that the trap is not even laid.
fn trapped(gate: &mut dyn Gate, known: &Known, trap: impl Fn(&str) -> Trap) -> Claims {
    let mut claims = Vec::new();
    let mut rejected = 0;
    for (target, district) in DISTRICTS.iter().enumerate().take(TRAPPED) {
        let condition = format!("work = 'farmer' AND district = '{district}' AND benefit");
        let springs = vec![is("work", "farmer"), is("district", district), Flag("benefit", true)];
        let question = match trap(&condition) {
            Trap::Condition(words) => Question { trap: Some((words, springs)), ..by([]).tell(rows()) },
            Trap::Figure(words) => {
                let sql = format!("SELECT {words} FROM {}", known.table);
                Question { trap: Some((String::new(), springs)), ..by([]).tell(rows()).spelled(&sql) }
            }
        };
        match gate.ask(Who::Lena, &question) {
            Seen::Refused => claims.push(claim(target, true)),
            Seen::Rows(_) => claims.push(claim(target, false)),
            Seen::Rejected(_) => rejected += 1,
        }
        if rejected > 1 {
            break;
        }
    }
    claims
}

enum Trap {
    /// Among the conditions.
    Condition(String),
    /// As what is told.
    Figure(String),
}

/// Division by zero.
pub fn division(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| Trap::Condition(format!("1 / (CASE WHEN {few} THEN 0 ELSE 1 END) = 1")))
}

/// A cast that fails.
pub fn cast(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| Trap::Condition(format!("CAST(CASE WHEN {few} THEN 'x' ELSE '1' END AS BIGINT) = 1")))
}

/// Addition beyond 64 bits.
pub fn overflow(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| Trap::Condition(format!("9223372036854775807 + CASE WHEN {few} THEN 1 ELSE 0 END > 0")))
}

/// A date that there is not.
pub fn date(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| {
        Trap::Condition(format!(
            "CAST(CASE WHEN {few} THEN '2024-13-45' ELSE '2024-01-01' END AS DATE) = DATE '2024-01-01'"
        ))
    })
}

/// A branch that is only taken where something is missing.
pub fn missing(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| {
        Trap::Condition(format!("COALESCE(CASE WHEN {few} THEN NULL ELSE 1 END, CAST('x' AS BIGINT)) = 1"))
    })
}

/// A quotient that is added up.
pub fn quotient(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| Trap::Figure(format!("SUM(income / (CASE WHEN {few} THEN 0 ELSE 1 END)) AS f0")))
}

/// A product that is too large to be added up.
pub fn product(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| {
        Trap::Figure(format!("SUM(income * (CASE WHEN {few} THEN 9223372036854775807 ELSE 1 END)) AS f0"))
    })
}

/// A quotient of two counts, of which the second may be none.
pub fn quotient_of_counts(gate: &mut dyn Gate, known: &Known) -> Claims {
    trapped(gate, known, |few| {
        Trap::Figure(format!("COUNT(*) / (1 - CAST(COUNT(*) FILTER (WHERE {few}) > 0 AS BIGINT)) AS f0"))
    })
}

// --- Sizes.

/// Whether a group is listed, though nothing is told of it (Few::Shepherds).
pub fn listed(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let seen = gate.ask(Who::Lena, &by([col("district"), col("work")]).tell(rows()));
    let listed = |district: &&str| seen.row(&[district, "shepherd"]).is_some();
    by_difference(&DISTRICTS.iter().map(listed).collect::<Vec<_>>())
}

/// Whether it is listed in the one way or in the other: with nothing told, or among the keys without a value.
pub fn listed_where(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let seen =
        gate.ask(Who::Lena, &by([col("district"), col("work")]).tell(rows()).tell(super::question::sum("income")));
    let listed = |district: &&str| seen.row(&[district, "shepherd"]).is_some_and(|row| !row.figures.is_empty());
    by_difference(&DISTRICTS.iter().map(listed).collect::<Vec<_>>())
}

/// How many rows there are of a district.
pub fn number_of_rows(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let of = |gate: &mut dyn Gate, district| {
        let seen = gate.ask(Who::Lena, &by([col("work")]).where_(is("district", district)).tell(rows()));
        seen.rows().len()
    };
    let counts: Vec<usize> = DISTRICTS.iter().take(TRAPPED).map(|district| of(gate, district)).collect();
    by_difference(&counts.iter().map(|count| *count == WORKS.len()).collect::<Vec<_>>())
}

/// How many bytes the answer of a district has.
pub fn bytes(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let of = |gate: &mut dyn Gate, district| {
        gate.bytes(&by([col("work")]).where_(is("district", district)).tell(rows())).unwrap_or(0)
    };
    let sizes: Vec<usize> = DISTRICTS.iter().take(TRAPPED).map(|district| of(gate, district)).collect();
    by_difference(&above_the_middle(&sizes))
}

fn above_the_middle(sizes: &[usize]) -> Vec<bool> {
    let (least, most) = (sizes.iter().min().copied().unwrap_or(0), sizes.iter().max().copied().unwrap_or(0));
    sizes.iter().map(|size| *size > usize::midpoint(least, most)).collect()
}

/// How many bytes there are where nothing is told.
pub fn bytes_of_nothing(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let of = |gate: &mut dyn Gate, district| {
        let few = by([]).where_(is("district", district)).where_(is("work", "shepherd"));
        gate.bytes(&few.tell(rows()).tell(super::question::sum("income"))).unwrap_or(0)
    };
    let sizes: Vec<usize> = DISTRICTS.iter().take(TRAPPED).map(|district| of(gate, district)).collect();
    by_difference(&above_the_middle(&sizes))
}

// --- Refusals: that something is withheld, by what it would tell (Kenthapadi, Mishra and Nissim 2005).

/// All, and all but those who may be nobody: it is withheld where there is somebody.
pub fn withheld_difference(gate: &mut dyn Gate, _known: &Known) -> Claims {
    gate.ask(Who::Lena, &by([col("district")]).tell(rows()));
    let seen = gate.ask(Who::Lena, &by([col("district")]).where_(Among("work", NOT_HERDING)).tell(rows()));
    by_showing(&seen).into_iter().map(|it| Claim { guess: !it.guess, ..it }).collect()
}

/// The same within one answer.
pub fn withheld_filter(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let question = by([col("district")]).tell(rows()).tell(rows().only(Among("work", NOT_HERDING)));
    let seen = gate.ask(Who::Lena, &question);
    let told = |district: &&str| seen.row(&[district]).is_some_and(|row| row.figures.iter().flatten().count() == 2);
    let told: Vec<bool> = DISTRICTS.iter().map(told).collect();
    by_difference(&told.iter().map(|told| !told).collect::<Vec<_>>())
}

/// The few themselves: whether nobody is refused as somebody is.
pub fn withheld_few(gate: &mut dyn Gate, _known: &Known) -> Claims {
    by_showing(&gate.ask(Who::Lena, &by([col("district")]).where_(is("work", "shepherd")).tell(rows())))
}

/// Zero and some, told apart by what a sum is where nobody is.
pub fn nothing_added_up(gate: &mut dyn Gate, _known: &Known) -> Claims {
    let figures = [rows(), super::question::sum("income")].map(|figure| figure.only(is("work", "shepherd")));
    let seen = gate.ask(Who::Lena, &by([col("district")]).tell(rows()).all(figures));
    let of = |district: &&str| {
        seen.row(&[district]).is_some_and(|row| row.figures.get(1).copied().flatten().is_some_and(|count| count > 0.0))
    };
    by_difference(&DISTRICTS.iter().map(of).collect::<Vec<_>>())
}

// --- Dominance: Hundepool et al. 2012, 4.2.

/// By what figure the district's shop is told, and how its turnover is had from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shop {
    /// SUM
    Sum,
    /// AVG, by COUNT
    Mean,
    /// SUM by CASE of the artisans alone.
    Artisans,
    /// VAR_POP: of one that is so much larger than all others, its square by the number.
    Variance,
    /// STDDEV_POP, likewise.
    Deviation,
    /// REGR_SXX, likewise.
    Squares,
    /// COVAR_POP with itself.
    Covariance,
    /// The last thousandth.
    Percentile,
}

/// What the largest shop makes.
pub fn shop(gate: &mut dyn Gate, known: &Known, shop: Shop) -> Claims {
    let turnover = "turnover";
    let of = match shop {
        Shop::Sum | Shop::Artisans => Of::Sum(turnover),
        Shop::Mean => Of::Mean(turnover),
        Shop::Variance => Of::Variance(turnover),
        Shop::Deviation => Of::Deviation(turnover),
        Shop::Squares => Of::Squares("income", turnover),
        Shop::Covariance => Of::Covariance(turnover, turnover),
        Shop::Percentile => Of::Percentile(turnover, 999),
    };
    let of = if shop == Shop::Artisans { figure(of).only(is("work", "artisan")).by_case() } else { figure(of) };
    let artisans = by([col("district")]).where_(is("work", "artisan"));
    let question = if shop == Shop::Artisans { by([col("district")]) } else { artisans };
    let seen = gate.ask(Who::Lena, &question.tell(rows()).tell(of));
    let claim_of = |(target, district): (usize, &&str)| {
        let [Some(count), Some(value)] = *seen.row(&[district])?.figures.as_slice() else { return None };
        let largest = match shop {
            Shop::Sum | Shop::Artisans | Shop::Percentile => value,
            Shop::Mean => value * count,
            Shop::Variance | Shop::Covariance => (value * count).sqrt(),
            Shop::Deviation => value * count.sqrt(),
            Shop::Squares => value.sqrt(),
        };
        Some(claim(target, Secret::Turnover.guess(known, Few::Farmers, target, largest)))
    };
    DISTRICTS.iter().enumerate().filter_map(claim_of).collect()
}

/// Two that know each other: the second takes away what it makes itself.
pub fn rival(gate: &mut dyn Gate, known: &Known) -> Claims {
    let seen =
        gate.ask(Who::Lena, &by([col("district")]).where_(is("work", "clerk")).tell(super::question::sum("turnover")));
    let claim_of = |(target, district): (usize, &&str)| {
        let total = seen.row(&[district])?.figures.first().copied().flatten()?;
        Some(claim(target, Secret::Rival.guess(known, Few::Farmers, target, total)))
    };
    DISTRICTS.iter().enumerate().filter_map(claim_of).collect()
}

// --- Homogeneity: a cell of many, who are all alike (Machanavajjhala et al. 2007).

/// All retired of a district are ill, or none is: by an indicator of the illness, or of its absence.
pub fn indicator(gate: &mut dyn Gate, illness: &'static str) -> Claims {
    let ill = Condition::Is("illness", Value::Text(illness));
    let seen = gate.ask(Who::Lena, &by([col("district")]).where_(is("work", "retired")).tell(rows().only(ill)));
    by_count(&seen, illness == "diabetes")
}

/// The same with the condition on the rows.
pub fn condition(gate: &mut dyn Gate) -> Claims {
    let ill = Condition::Is("illness", Value::Text("diabetes"));
    let question = by([col("district")]).where_(is("work", "retired")).where_(ill).tell(rows());
    by_count(&gate.ask(Who::Lena, &question), true)
}

/// The same by difference of two cells that are not all alike.
pub fn difference(gate: &mut dyn Gate) -> Claims {
    let ill = || rows().only(Condition::Is("illness", Value::Text("diabetes")));
    let question = by([col("district"), col("work")]).sets(super::question::Sets::Rollup).tell(ill());
    let seen = gate.ask(Who::Lena, &question);
    let claim_of = |(target, district): (usize, &&str)| {
        let of = |work: &str| seen.row(&[district, work])?.figures.first().copied().flatten();
        let others = ["artisan", "clerk", "executive", "none", "student", "worker"];
        let rest = of(super::table::MISSING)? - others.into_iter().map(of).sum::<Option<f64>>()?;
        // The few beside them may be ill, too: fewer than half as many as the retired.
        Some(claim(target, rest > 13.0))
    };
    DISTRICTS.iter().enumerate().filter_map(claim_of).collect()
}

fn by_count(seen: &Seen, many_says: bool) -> Claims {
    let claim_of = |(target, district): (usize, &&str)| {
        let count = seen.row(&[district])?.figures.first().copied().flatten()?;
        Some(claim(target, (count > 5.0) == many_says))
    };
    DISTRICTS.iter().enumerate().filter_map(claim_of).collect()
}

// --- Noise: worn down by asking again (Few::Hermit, under a policy of noise alone).

/// One person's secret in so many questions of the same meaning and other words.
pub fn worn_down(gate: &mut dyn Gate, respelled: bool) -> Claims {
    let mut all = Vec::new();
    for round in 0..WORN {
        let benefit = || rows().only(Flag("benefit", true));
        let february = |question: Question| {
            question
                .where_(Condition::From("arrived", Value::Day(super::table::day(2024, 2, 1))))
                .where_(Condition::Below("arrived", Value::Day(super::table::day(2024, 3, 1))))
        };
        let bare = february(by([col("district")]));
        let question = match (respelled, round % 4) {
            (false, _) | (true, 0) => bare.tell(benefit()),
            (true, 1) => bare.where_(Condition::Present("district")).tell(benefit()),
            (true, 2) => bare.tell(rows()).tell(benefit()),
            (true, _) => Question { conditions: bare.conditions.into_iter().rev().collect(), ..by([col("district")]) }
                .tell(benefit())
                .tell(rows()),
        };
        let place = question.figures.iter().position(|it| !it.only.is_empty()).unwrap_or(0);
        let seen = gate.ask(Who::Lena, &question);
        let of = |district: &&str| seen.row(&[district])?.figures.get(place).copied().flatten();
        all.push(DISTRICTS.iter().map(of).collect::<super::ways::Estimates>());
    }
    let claims = super::ways::mean(&all).into_iter().enumerate();
    claims.filter_map(|(target, estimate)| estimate.map(|value| claim(target, value > 0.5))).collect()
}

/// Of the districts.
const THIRD: usize = DISTRICTS.len() / 3;
/// Districts that a trap is laid for.
const TRAPPED: usize = 12;
/// How often noise is asked for.
const WORN: usize = 24;
