use std::{io::Write as _, os::unix::fs::FileExt as _};

use futures::{StreamExt as _, executor::block_on};

use super::*;

fn scratch(blocks: u64) -> (File, Scratch) {
    let disk = tempfile::tempfile().unwrap();
    let scratch = Scratch::new(disk.try_clone().unwrap(), blocks * block::CONTENT as u64).unwrap();
    (disk, scratch)
}

fn spill(scratch: &Scratch, content: &[u8]) -> Result<Arc<dyn SpillFile>, DataFusionError> {
    let file = scratch.create_temp_file("a test")?;
    let mut writer = file.open_writer()?;
    writer.write_all(content)?;
    writer.flush()?;
    writer.finish()?;
    Ok(file)
}

fn read(file: &dyn SpillFile) -> Result<Vec<u8>, DataFusionError> {
    let pieces: Vec<_> = block_on(file.read_stream()?.collect());
    Ok(pieces.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

#[test]
fn what_is_spilled_comes_back() {
    let (_, scratch) = scratch(32);
    let around = |length: usize| [length.saturating_sub(1), length, length + 1];
    let lengths = [0, 4096, block::CONTENT, 3 * block::CONTENT].into_iter().flat_map(around);
    let spilled: Vec<_> = lengths
        .map(|length| {
            let content: Vec<u8> = (0..length).map(|at| (at / 7 + length) as u8).collect();
            (spill(&scratch, &content).unwrap(), content)
        })
        .collect();
    for (file, content) in &spilled {
        assert_eq!(file.size(), Some(content.len() as u64));
        assert!(read(file.as_ref()).unwrap() == *content, "{} bytes", content.len());
    }
}

/// The engine's exchange between threads reads what it spills while it goes on spilling.
#[test]
fn what_was_written_can_be_read_before_the_file_is_finished() {
    let (_, scratch) = scratch(8);
    let file = scratch.create_temp_file("a test").unwrap();
    let (mut writer, mut read, mut written) = (file.open_writer().unwrap(), Vec::new(), Vec::new());
    let mut stream = file.read_stream().unwrap();
    for round in 0..40_usize {
        let batch: Vec<u8> = (0..round * 1_777).map(|at| (at / 3 + round) as u8).collect();
        writer.write_all(&batch).unwrap();
        writer.flush().unwrap();
        written.extend(batch);
        while read.len() < written.len() {
            read.extend(block_on(stream.next()).unwrap().unwrap());
        }
    }
    writer.finish().unwrap();
    assert!(block_on(stream.next()).is_none());
    assert!(read == written && read.len() > 5 * block::CONTENT);
    assert!(self::read(file.as_ref()).unwrap() == written);
}

#[test]
fn the_disk_sees_no_content() {
    let (disk, scratch) = scratch(2);
    let file = spill(&scratch, &b"rue de la Liberte, Dijon ".repeat(9_000)).unwrap();
    let mut seen = vec![0; file.size().unwrap() as usize];
    disk.read_exact_at(&mut seen, 0).unwrap();
    assert!(!seen.windows(7).any(|window| window == b"Liberte"));
}

#[test]
fn a_changed_moved_or_older_block_does_not_open() {
    let (disk, scratch) = scratch(4);
    let one = spill(&scratch, &[1; block::CONTENT]).unwrap();
    let mut older = vec![0; block::CONTENT];
    disk.read_exact_at(&mut older, 0).unwrap();
    let two = spill(&scratch, &[2; block::CONTENT]).unwrap();
    disk.write_all_at(&older, block::CONTENT as u64).unwrap();
    assert!(read(two.as_ref()).is_err(), "moved");

    let mut changed = older.clone();
    changed[77] ^= 1;
    disk.write_all_at(&changed, 0).unwrap();
    assert!(read(one.as_ref()).is_err(), "changed");
    disk.write_all_at(&older, 0).unwrap();
    assert!(read(one.as_ref()).is_ok());

    drop(one);
    let newer = spill(&scratch, &[1; block::CONTENT]).unwrap();
    disk.write_all_at(&older, 0).unwrap();
    assert!(read(newer.as_ref()).is_err(), "older");
}

#[test]
fn a_full_disk_says_so_and_what_is_dropped_is_free_again() {
    let (_, scratch) = scratch(2);
    let kept = spill(&scratch, &[1; block::CONTENT]).unwrap();
    let dropped = spill(&scratch, &[2; block::CONTENT]).unwrap();
    assert!(spill(&scratch, &[3]).is_err());
    drop(dropped);
    assert_eq!(read(spill(&scratch, &[3; 5]).unwrap().as_ref()).unwrap(), [3; 5]);
    assert_eq!(read(kept.as_ref()).unwrap(), [1; block::CONTENT]);
}
