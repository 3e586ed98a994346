//! What stands in a corpus more than once, found by sorting hashes.
//!
//! Equal sentences are those that are equal in NFC, without white space around, as in [`hold_out`](super::super::hold_out). Of every pair four
//! records are sorted: its sides together, its sides folded (near duplicates), its source, its target.
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::characters::fold;
use super::check::{Check, Checks};
use super::report::{Findings, Spot};
use super::row::RowId;
use super::{Options, Part};
use crate::data::sentence::{Key, hash, join, key};
use crate::data::sort::{RECORD, Record, Sorted, Sorter};

/// What of a record's third number says which kind of its group it is; the rest is the part.
const KIND: u64 = (1 << 56) - 1;

/// Finds repeated sentences.
#[derive(Debug)]
pub(super) struct Repeats {
    pairs: Sorter,
    folded: Option<Sorter>,
    src: Sorter,
    tgt: Sorter,
    buffers: [String; 2],
}

/// Rows that would be removed, and for what.
#[derive(Debug)]
pub(super) struct Verdicts {
    /// The checks that rows are kept for, by part.
    wanted: [Checks; 3],
    sorter: Sorter,
}

impl Verdicts {
    /// Keeps rows that [`fix`](super::fix) removes by `options`, at most `memory` bytes of them.
    pub(super) fn new(options: &Options, memory: usize) -> Self {
        let wanted = [Part::Test, Part::Valid, Part::Train].map(|part| options.removes_from(part));
        Self { wanted, sorter: Sorter::new(memory / RECORD, options.temporary.as_deref()) }
    }

    fn add(&mut self, check: Check, row: RowId, part: usize) -> io::Result<()> {
        if self.wanted[part].contains(check) {
            self.sorter.push([row.number(), check as u64, 0, 0])?;
        }
        Ok(())
    }

    pub(super) fn into_sorter(self) -> Sorter {
        self.sorter
    }
}

impl Repeats {
    /// Keeps at most `memory` bytes of records; `near` says whether near duplicates are looked for as well.
    pub(super) fn new(memory: usize, folder: Option<&Path>, near: Near) -> Self {
        let sorter = || Sorter::new(memory / (4 * RECORD), folder);
        let folded = (near == Near::Sought).then(sorter);
        Self { pairs: sorter(), folded, src: sorter(), tgt: sorter(), buffers: Default::default() }
    }

    pub(super) fn see(&mut self, row: RowId, part: Part, src: &str, tgt: &str) -> io::Result<()> {
        let [src_key, tgt_key] = [src, tgt].map(key);
        let pair = join(src_key, tgt_key);
        let row = row.number();
        let part_and = |tag: u64| (part as u64) << 56 | tag >> 8;
        self.pairs.push([pair[0], pair[1], part_and(0), row])?;
        self.src.push([src_key[0], src_key[1], part_and(tgt_key[0]), row])?;
        self.tgt.push([tgt_key[0], tgt_key[1], part_and(0), row])?;
        if let Some(folded) = &mut self.folded {
            let [src_buffer, tgt_buffer] = &mut self.buffers;
            let near = join(hash(fold(src, src_buffer)), hash(fold(tgt, tgt_buffer)));
            folded.push([near[0], near[1], part_and(pair[0]), row])?;
        }
        Ok(())
    }

    /// Tells what is there more than once; `name` names a row's file and line.
    pub(super) fn finish(
        self,
        findings: &mut Findings,
        verdicts: &mut Verdicts,
        name: &dyn Fn(Spot) -> String,
    ) -> io::Result<()> {
        let mut tell = Telling { findings, verdicts, name };
        tell.pairs(self.pairs)?;
        if let Some(folded) = self.folded {
            tell.near(folded)?;
        }
        tell.sources(self.src)?;
        tell.targets(self.tgt)
    }
}

/// Whether near duplicates are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Near {
    /// They are.
    Sought,
    /// They are not.
    Ignored,
}

/// Where findings go.
struct Telling<'a> {
    findings: &'a mut Findings,
    verdicts: &'a mut Verdicts,
    name: &'a dyn Fn(Spot) -> String,
}

impl Telling<'_> {
    fn pairs(&mut self, sorter: Sorter) -> io::Result<()> {
        let mut walk = Walk::new(sorter)?;
        while let Some(event) = walk.next()? {
            let Event::Seen(seen) = event else { continue };
            if let Some(first) = seen.first {
                self.repeated(Check::Duplicate, seen.row, first, seen.part, "as")?;
            }
            self.leak(Check::LeakedPair, &seen, 0, "as")?;
        }
        Ok(())
    }

    /// Kinds of a group are pairs that differ; they come in no order of their lines, and the first line is the one that is repeated.
    fn near(&mut self, sorter: Sorter) -> io::Result<()> {
        let mut walk = Walk { is_near: true, ..Walk::new(sorter)? };
        let mut least = RowId::new(0, 0);
        while let Some(event) = walk.next()? {
            let Event::Seen(seen) = event else { continue };
            if seen.first.is_none() {
                least = seen.row;
            } else if seen.is_new_kind {
                let later = seen.row.max(least);
                least = seen.row.min(least);
                self.repeated(Check::NearDuplicate, later, least, seen.part, "nearly as")?;
            }
            self.leak(Check::NearLeak, &seen, 0, "nearly as")?;
        }
        Ok(())
    }

    fn sources(&mut self, sorter: Sorter) -> io::Result<()> {
        let mut walk = Walk::new(sorter)?;
        while let Some(event) = walk.next()? {
            match event {
                Event::Seen(seen) => self.leak(Check::LeakedSource, &seen, 0, "as")?,
                Event::End { least, kinds } if kinds > 1 => {
                    let rank = -i64::try_from(kinds).unwrap_or(i64::MAX);
                    self.findings.add_ranked(Check::ManyTargets, (least, 0), rank, || format!("{kinds} targets"));
                }
                Event::End { .. } => {}
            }
        }
        Ok(())
    }

    fn targets(&mut self, sorter: Sorter) -> io::Result<()> {
        let mut walk = Walk::new(sorter)?;
        while let Some(event) = walk.next()? {
            if let Event::Seen(seen) = event {
                self.leak(Check::LeakedTarget, &seen, 1, "as")?;
            }
        }
        Ok(())
    }

    fn repeated(&mut self, check: Check, row: RowId, first: RowId, part: usize, how: &str) -> io::Result<()> {
        self.findings.add(check, (row, 0), || format!("{how} {}", (self.name)((first, 0))));
        self.verdicts.add(check, row, part)
    }

    /// A later part has what an earlier one has: the sentences of the earlier count, the row of the later is the one to go.
    fn leak(&mut self, check: Check, seen: &Seen, side: usize, how: &str) -> io::Result<()> {
        let Some(earlier) = seen.earlier else { return Ok(()) };
        self.findings.count(check, seen.leaks);
        if seen.leaks > 0 {
            self.findings.show(check, (earlier, side), 0, || format!("{how} {}", (self.name)((seen.row, side))));
        }
        self.verdicts.add(check, seen.row, seen.part)
    }
}

/// Walks over sorted records, group by group: a group has one key; test comes first, then validation, then training.
struct Walk {
    sorted: Sorted,
    /// Whether what an earlier part has as it stands is no leak, which is told elsewhere.
    is_near: bool,
    /// The record that opened the group at hand, and how it stands.
    group: Option<Group>,
    /// A record that opens the next group.
    next: Option<Record>,
}

struct Group {
    key: Key,
    /// The first row of each part, and how many there are.
    firsts: [Option<RowId>; 3],
    counts: [u64; 3],
    is_leaked: [bool; 3],
    kind: u64,
    /// Kinds among the rows that are measured on, and by which part each was first had; of near ones only.
    measured: BTreeMap<u64, usize>,
    /// Different kinds among the rows for training, and their first row.
    kinds: u64,
    least: RowId,
}

enum Event {
    Seen(Seen),
    /// A group is over.
    End {
        least: RowId,
        kinds: u64,
    },
}

/// A row in its group.
struct Seen {
    row: RowId,
    part: usize,
    /// The first row of the same part, if this is another.
    first: Option<RowId>,
    is_new_kind: bool,
    /// A row of an earlier part.
    earlier: Option<RowId>,
    /// How many rows of earlier parts are known to be leaked now that were not before.
    leaks: u64,
}

impl Walk {
    fn new(sorter: Sorter) -> io::Result<Self> {
        Ok(Self { sorted: sorter.finish()?, is_near: false, group: None, next: None })
    }

    fn next(&mut self) -> io::Result<Option<Event>> {
        let record = match self.next.take() {
            Some(record) => Some(record),
            None => self.sorted.next()?,
        };
        if let Some(group) = &self.group
            && record.is_none_or(|record| record[..2] != group.key)
        {
            let event = Event::End { least: group.least, kinds: group.kinds };
            (self.next, self.group) = (record, None);
            return Ok(Some(event));
        }
        let Some(record) = record else { return Ok(None) };
        let group = self.group.get_or_insert_with(|| Group::new(&record));
        Ok(Some(Event::Seen(group.add(&record, self.is_near))))
    }
}

impl Group {
    fn new(record: &Record) -> Self {
        Self {
            key: [record[0], record[1]],
            firsts: [None; 3],
            counts: [0; 3],
            is_leaked: [false; 3],
            kind: u64::MAX,
            measured: BTreeMap::new(),
            kinds: 0,
            least: RowId::from_number(u64::MAX),
        }
    }

    fn add(&mut self, record: &Record, is_near: bool) -> Seen {
        let (part, row) = ((record[2] >> 56) as usize, RowId::from_number(record[3]));
        let is_new_kind = record[2] != self.kind;
        self.kind = record[2];
        if part == Part::Train as usize {
            self.kinds += u64::from(is_new_kind);
            self.least = self.least.min(row);
        }
        let kind = record[2] & KIND;
        let is_there = is_near && self.measured.get(&kind).is_some_and(|&had| had < part);
        if is_near && part < Part::Train as usize {
            self.measured.entry(kind).or_insert(part);
        }
        let mut leaks = 0;
        for earlier in 0..if is_there { 0 } else { part } {
            if !std::mem::replace(&mut self.is_leaked[earlier], true) {
                leaks += self.counts[earlier];
            }
        }
        self.counts[part] += 1;
        let earlier = self.firsts[..part].iter().flatten().next().copied().filter(|_| !is_there);
        let first = self.firsts[part];
        self.firsts[part] = Some(first.map_or(row, |first| first.min(row)));
        Seen { row, part, first, is_new_kind, earlier, leaks }
    }
}
