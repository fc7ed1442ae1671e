//! Lists, a page at a time: in order, trimmed to what the caller may see, and never more than a page in memory.

use std::str::FromStr;

use octroi_proto::{Dataset, DatasetId};

use super::Gateway;
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise::ReadMetadata,
    registry::ReadError,
};

impl Gateway {
    /// A page of the datasets that this caller may know of, and the last id of it when there is more.
    ///
    /// # Errors
    /// [`Refusal`] when the register cannot be read.
    pub(crate) fn visible(
        &self,
        caller: &Caller,
        after: Option<DatasetId>,
        limit: usize,
    ) -> Result<(Vec<Dataset>, Option<DatasetId>), Refusal> {
        let scan = |after: Option<&DatasetId>, most| self.registry.datasets(after, most);
        page(after, limit, scan, |it| it.description.id.clone(), |it| self.gate.may::<ReadMetadata>(caller, it))
    }
}

/// How many items a page may hold: 100 unless the caller says, 1,000 at most.
pub(crate) fn page_size(wanted: u32) -> Result<usize, Refusal> {
    match wanted {
        0 => Ok(100),
        1..=1_000 => Ok(wanted as usize),
        _ => Err(Refusal::field("page_size", "must be at most 1000")),
    }
}

/// Where a page begins: after this item.
pub(crate) fn after<T: FromStr>(field: &'static str, token: &str) -> Result<Option<T>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    token.parse().map(Some).map_err(|_| Refusal::field(field, "must be as the answer before gave it, unchanged"))
}

/// A page of the items that the caller may see, and the id of its last when there is more. That id is always one
/// the caller saw: a hidden item must not show through a page token.
pub(crate) fn page<Id: Clone, T>(
    after: Option<Id>,
    limit: usize,
    scan: impl Fn(Option<&Id>, usize) -> Result<Vec<T>, ReadError>,
    id: impl Fn(&T) -> Id,
    may: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<Id>), Refusal> {
    page_within(usize::MAX, after, limit, scan, id, may)
}

/// As [`page`], looking at no more items than `most` (in steps of 500). A page that ends there is short, perhaps
/// empty, and comes with the id of the last item looked at, seen or not: only for ids that tell nothing.
pub(crate) fn page_within<Id: Clone, T>(
    most: usize,
    mut after: Option<Id>,
    limit: usize,
    scan: impl Fn(Option<&Id>, usize) -> Result<Vec<T>, ReadError>,
    id: impl Fn(&T) -> Id,
    may: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<Id>), Refusal> {
    const SCAN: usize = 500;
    let mut page = Vec::new();
    let mut last = None;
    let mut looked = 0_usize;
    loop {
        let scanned = scan(after.as_ref(), SCAN).or_internal()?;
        let exhausted = scanned.len() < SCAN;
        for item in scanned {
            let item_id = id(&item);
            after = Some(item_id.clone());
            if may(&item) {
                if page.len() == limit {
                    return Ok((page, last));
                }
                page.push(item);
                last = Some(item_id);
            }
        }
        if exhausted {
            return Ok((page, None));
        }
        looked += SCAN;
        if looked >= most {
            return Ok((page, after));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the numbers below 2,000 that the caller may see, followed to the end.
    fn pages(most: usize, limit: usize, may: impl Fn(&u32) -> bool) -> Vec<(Vec<u32>, Option<u32>)> {
        let scan = |after: Option<&u32>, most| Ok((after.map_or(0, |after| after + 1)..2_000).take(most).collect());
        let next = |(_, after): &(_, Option<u32>)| {
            after.map(|after| page_within(most, Some(after), limit, scan, |it| *it, &may).unwrap())
        };
        std::iter::successors(Some(page_within(most, None, limit, scan, |it| *it, &may).unwrap()), next).collect()
    }

    #[test]
    fn a_token_is_of_an_item_the_caller_saw_unless_the_look_is_bounded() {
        assert_eq!(pages(usize::MAX, 10, |it| *it == 1_700), [(vec![1_700], None)]);
        let two = pages(usize::MAX, 1, |it| [3, 1_700].contains(it));
        assert_eq!(two, [(vec![3], Some(3)), (vec![1_700], None)]);
    }

    #[test]
    fn a_bounded_look_ends_and_goes_on_where_it_ended() {
        let hidden = pages(1_000, 10, |it| *it == 1_700);
        assert_eq!(hidden, [(vec![], Some(999)), (vec![1_700], Some(1_999)), (vec![], None)]);
        let all: Vec<u32> = pages(500, 300, |it| it % 2 == 0).into_iter().flat_map(|(page, _)| page).collect();
        assert!(all.into_iter().eq((0..2_000).step_by(2)), "nothing twice, nothing left out");
    }
}
