//! Waits, within the deadline, until a desktop shows what it should.
#![allow(clippy::unwrap_used)] // all of it is test code

use std::time::{Duration, Instant};

use goroam::tray::face::Icon;
use goroam::tray::icon::rgba;

use crate::desktop::{DEADLINE, Item, Line};

/// Asks again until it is so; only the pace of asking is a time.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Result<T, String>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(last) => assert!(
                Instant::now() < end,
                "not in time: {what}; last seen: {last}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads, which blocks until the other end says something or dies; within the deadline.
pub(crate) async fn in_time(
    mut stderr: std::process::ChildStderr,
    read: impl FnOnce(&mut std::process::ChildStderr) -> String + Send + 'static,
) -> (std::process::ChildStderr, String) {
    let reading = tokio::task::spawn_blocking(move || {
        let said = read(&mut stderr);
        (stderr, said)
    });
    tokio::time::timeout(DEADLINE, reading)
        .await
        .unwrap()
        .unwrap()
}

pub(crate) async fn until_tooltip(item: &Item, starts: &str) {
    until(starts, async || {
        let (title, text) = item.tooltip().await;
        if title.starts_with(starts) {
            Ok(())
        } else {
            Err(format!("{title:?} {text:?}"))
        }
    })
    .await;
}

pub(crate) async fn until_icon(item: &Item, icon: Icon) {
    let want: Vec<(i32, Vec<u8>)> = [16, 22, 24, 32, 48, 64]
        .map(|size| (size, argb(icon, size)))
        .into();
    until(&format!("{icon:?}"), async || {
        let pixels = item.pixels().await;
        assert_eq!(pixels.len(), want.len());
        if want
            .iter()
            .all(|(size, data)| pixels.get(size) == Some(data))
        {
            Ok(())
        } else {
            Err("another icon".to_owned())
        }
    })
    .await;
}

fn argb(icon: Icon, size: i32) -> Vec<u8> {
    let pixels = rgba(icon, u32::try_from(size).unwrap());
    pixels
        .chunks(4)
        .flat_map(|p| [p[3], p[0], p[1], p[2]])
        .collect()
}

pub(crate) fn find<'a>(lines: &'a [Line], way: &[&str]) -> &'a Line {
    let (label, rest) = way.split_first().unwrap();
    let found = lines.iter().find(|line| line.label == *label);
    let found = found.unwrap_or_else(|| panic!("no {label:?} in {lines:?}"));
    if rest.is_empty() {
        found
    } else {
        find(&found.lines, rest)
    }
}
