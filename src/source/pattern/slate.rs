//! The slate: what is shown while a source gives nothing.

use super::{BLACK, GREY, Layout, Luma, PANEL, Rect, font::Text};

const LINES: [&str; 2] = ["BACK", "IN A MOMENT"];

/// The slate in I420, laid out as [`Layout`] says. It stands still, so that it costs next to nothing to send.
pub fn slate(width: u32, height: u32) -> Vec<u8> {
    let layout = Layout::new(width, height);
    let mut picture = vec![BLACK; layout.size];
    picture[layout.u..].fill(128);
    let mut luma = Luma { bytes: &mut picture[..layout.u], stride: layout.stride };
    let (width, height) = (width as usize, height as usize);
    luma.fill(Rect { x: 0, y: height * 30 / 100, width, height: height * 40 / 100 }, PANEL);
    let text = Text::fit(width * 80 / 100, height * 12 / 100, LINES[1].len());
    for (line, top) in LINES.into_iter().zip([34, 52]) {
        let left = (width - text.width(line.len()).min(width)) / 2;
        text.draw(&mut luma, left, height * top / 100, line, GREY);
    }
    picture
}
