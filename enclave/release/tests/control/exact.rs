//! Exact fractions, and the least and most that a sum can be where some sums are known.

/// In lowest terms, its sign above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fraction {
    above: i128,
    below: i128,
}

impl Fraction {
    /// Less than one by a hundred-thousandth.
    pub(crate) const ALMOST_ONE: Self = Self { above: 99_999, below: 100_000 };

    pub(crate) fn new(above: i128, below: i128) -> Self {
        let (mut one, mut other) = (above.abs(), below.abs());
        while other != 0 {
            (one, other) = (other, one % other);
        }
        let divisor = one.max(1) * below.signum();
        Self { above: above / divisor, below: below / divisor }
    }

    pub(crate) fn whole(value: i128) -> Self {
        Self { above: value, below: 1 }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self::new(self.above * other.below + other.above * self.below, self.below * other.below)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.plus(Self { above: -other.above, ..other })
    }

    pub(crate) fn times(self, other: Self) -> Self {
        Self::new(self.above * other.above, self.below * other.below)
    }

    pub(crate) fn over(self, other: Self) -> Self {
        Self::new(self.above * other.below, self.below * other.above)
    }

    pub(crate) fn sign(self) -> i128 {
        self.above.signum()
    }

    pub(crate) fn is_less(self, other: Self) -> bool {
        self.minus(other).sign() < 0
    }

    pub(crate) fn greater_of(self, other: Self) -> Self {
        if self.is_less(other) { other } else { self }
    }

    pub(crate) fn lesser_of(self, other: Self) -> Self {
        if self.is_less(other) { self } else { other }
    }
}

/// Numbers of which none is negative; of some of them together the sum is known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) numbers: usize,
    /// Which ones, and their sum.
    pub(crate) sums: Vec<(Vec<usize>, i128)>,
}

impl Known {
    /// The least that some numbers can be together, and the most; `None` for no bound. They must be as they are known to be.
    pub(crate) fn bounds(&self, of: &[usize]) -> (Fraction, Option<Fraction>) {
        let weights = |sign: i128| -> Vec<Fraction> {
            (0..self.numbers).map(|number| Fraction::whole(if of.contains(&number) { sign } else { 0 })).collect()
        };
        let least = self.most(&weights(-1)).expect("no sum is below zero");
        (Fraction::whole(0).minus(least), self.most(&weights(1)))
    }

    /// By the simplex method with Bland's rule, in two phases; the second begins at a point that the first found.
    fn most(&self, worth: &[Fraction]) -> Option<Fraction> {
        let zero = Fraction::whole(0);
        let rows = self.sums.len();
        let mut table: Vec<Vec<Fraction>> = Vec::with_capacity(rows);
        for (place, (of, sum)) in self.sums.iter().enumerate() {
            let known = (0..self.numbers).map(|number| Fraction::whole(of.contains(&number).into()));
            let artificial = (0..rows).map(|row| Fraction::whole((row == place).into()));
            table.push(known.chain(artificial).chain([Fraction::whole(*sum)]).collect());
        }
        let mut basis: Vec<usize> = (self.numbers..self.numbers + rows).collect();
        let cost = |column: usize| if column < self.numbers { zero } else { Fraction::whole(-1) };
        let costs: Vec<Fraction> = (0..self.numbers + rows).map(cost).collect();
        let found = climb(&mut table, &mut basis, &costs, self.numbers + rows).expect("a sum of what is not negative");
        assert_eq!(found.sign(), 0, "the true numbers add up");
        // What is artificial is zero now: it leaves, or its row says nothing new.
        for row in 0..rows {
            if basis[row] >= self.numbers
                && let Some(column) = (0..self.numbers).find(|column| table[row][*column].sign() != 0)
            {
                pivot(&mut table, &mut basis, row, column);
            }
        }
        let costs: Vec<Fraction> = worth.iter().copied().chain((0..rows).map(|_| zero)).collect();
        climb(&mut table, &mut basis, &costs, self.numbers)
    }
}

/// The most of what `costs` weigh, over the first `columns`; `None` if there is no most.
fn climb(table: &mut [Vec<Fraction>], basis: &mut [usize], costs: &[Fraction], columns: usize) -> Option<Fraction> {
    loop {
        let gain = |column: usize| {
            let spent = table.iter().zip(basis.iter()).map(|(row, basic)| costs[*basic].times(row[column]));
            spent.fold(costs[column], Fraction::minus)
        };
        let Some(entering) = (0..columns).find(|column| gain(*column).sign() > 0) else {
            let values = table.iter().zip(basis.iter()).map(|(row, basic)| costs[*basic].times(row[row.len() - 1]));
            return Some(values.fold(Fraction::whole(0), Fraction::plus));
        };
        let mut leaving: Option<(usize, Fraction)> = None;
        for (place, row) in table.iter().enumerate().filter(|(_, row)| row[entering].sign() > 0) {
            let ratio = row[row.len() - 1].over(row[entering]);
            let better = leaving
                .is_none_or(|(other, least)| ratio.is_less(least) || (ratio == least && basis[place] < basis[other]));
            if better {
                leaving = Some((place, ratio));
            }
        }
        pivot(table, basis, leaving?.0, entering);
    }
}

fn pivot(table: &mut [Vec<Fraction>], basis: &mut [usize], row: usize, column: usize) {
    let by = table[row][column];
    let scaled: Vec<Fraction> = table[row].iter().map(|entry| entry.over(by)).collect();
    for (place, other) in table.iter_mut().enumerate().filter(|(place, _)| *place != row) {
        let _ = place;
        let factor = other[column];
        if factor.sign() != 0 {
            *other = other.iter().zip(&scaled).map(|(entry, of)| entry.minus(factor.times(*of))).collect();
        }
    }
    table[row] = scaled;
    basis[row] = column;
}

#[test]
fn sums_bound_their_parts() {
    // Geurts 1992, table 10, as the SDC handbook has it (4.2.2, example 3): of four numbers, row sums 7 and 3 and column
    // sums 6 and 4 are known.
    let known = Known { numbers: 4, sums: vec![(vec![0, 1], 7), (vec![2, 3], 3), (vec![0, 2], 6), (vec![1, 3], 4)] };
    assert_eq!(known.bounds(&[0]), (Fraction::whole(3), Some(Fraction::whole(6))));
    assert_eq!(known.bounds(&[0, 3]), (Fraction::whole(3), Some(Fraction::whole(9))));
    let open = Known { numbers: 2, sums: vec![(vec![0], 2)] };
    assert_eq!(open.bounds(&[0, 1]), (Fraction::whole(2), None));
}
