//! Languages in boxes: RFC 5646 outside, ISO 639-2/T inside `mdhd`.

/// Two-letter codes of ISO 639-1, each followed by its ISO 639-2/T code.
const CODES: &str = "aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bhbih \
     bibis bmbam bnben bobod brbre bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym dadan \
     dedeu dvdiv dzdzo eeewe elell eneng eoepo esspa etest eueus fafas ffful fifin fjfij fofao frfra \
     fyfry gagle gdgla glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyhye hzher \
     iaina idind ieile igibo iiiii ikipk ioido isisl itita iuiku jajpn jvjav kakat kgkon kikik kjkua \
     kkkaz klkal kmkhm knkan kokor krkau kskas kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin \
     lolao ltlit lulub lvlav mgmlg mhmah mimri mkmkd mlmal mnmon mrmar msmsa mtmlt mymya nanau nbnob \
     ndnde nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori ososs papan pipli \
     plpol pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme sgsag sisin skslk \
     slslv smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir \
     tktuk tltgl tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol \
     wawln wowol xhxho yiyid yoyor zazha zhzho zuzul";

/// The ISO 639-2/T code of an RFC 5646 tag's language, `und` where it has none.
pub(super) fn iso639(tag: &str) -> [u8; 3] {
    let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    match primary.as_bytes() {
        &[a, b, c] if primary.bytes().all(|letter| letter.is_ascii_lowercase()) => [a, b, c],
        [_, _] => CODES
            .split(' ')
            .find_map(|pair| pair.strip_prefix(&primary)?.as_bytes().try_into().ok())
            .unwrap_or(*b"und"),
        _ => *b"und",
    }
}

/// The RFC 5646 tag of an ISO 639-2/T code: of two letters where there is such a tag (RFC 5646 2.2.1).
pub(super) fn tag(code: &str) -> &str {
    CODES.split(' ').find_map(|pair| pair.strip_suffix(code).filter(|tag| tag.len() == 2)).unwrap_or(code)
}

/// The code as `mdhd` packs it: five bits a letter (ISO/IEC 14496-12 8.4.2.3).
pub(super) fn packed(code: [u8; 3]) -> u16 {
    code.iter().fold(0, |packed, letter| packed << 5 | u16::from(letter.wrapping_sub(0x60) & 0x1f))
}

/// The letters of a packed code; `und` for what packs none, as QuickTime and some phones write.
pub(super) fn unpacked(packed: u16) -> String {
    if [10, 5, 0].iter().any(|shift| !(1..=26).contains(&(packed >> shift & 0x1f))) {
        return "und".into();
    }
    [10, 5, 0].iter().map(|shift| char::from((packed >> shift & 0x1f) as u8 + 0x60)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_three_letters() {
        let cases = [
            ("en", "eng"),
            ("de-AT", "deu"),
            ("ZH-Hant", "zho"),
            ("gsw", "gsw"),
            ("und", "und"),
            ("", "und"),
            ("e1x", "und"),
        ];
        for (tag, code) in cases {
            assert_eq!(unpacked(packed(iso639(tag))), code, "{tag}");
        }
        for (code, short) in [("eng", "en"), ("deu", "de"), ("gsw", "gsw"), ("und", "und")] {
            assert_eq!(tag(code), short);
        }
    }
}
