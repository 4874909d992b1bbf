//! Names of languages for a player's menu.

/// The name of a language in its own words; the tag itself where we do not know it.
pub(super) fn name(tag: Option<&str>) -> &str {
    let Some(tag) = tag else { return "Audio" };
    match tag.split('-').next().unwrap_or(tag) {
        "ar" | "ara" => "العربية",
        "cs" | "ces" | "cze" => "Čeština",
        "da" | "dan" => "Dansk",
        "de" | "deu" | "ger" => "Deutsch",
        "el" | "ell" | "gre" => "Ελληνικά",
        "en" | "eng" => "English",
        "es" | "spa" => "Español",
        "fi" | "fin" => "Suomi",
        "fr" | "fra" | "fre" => "Français",
        "he" | "heb" => "עברית",
        "hi" | "hin" => "हिन्दी",
        "hu" | "hun" => "Magyar",
        "id" | "ind" => "Bahasa Indonesia",
        "it" | "ita" => "Italiano",
        "ja" | "jpn" => "日本語",
        "ko" | "kor" => "한국어",
        "nl" | "nld" | "dut" => "Nederlands",
        "no" | "nor" | "nb" | "nob" => "Norsk",
        "pl" | "pol" => "Polski",
        "pt" | "por" => "Português",
        "ro" | "ron" | "rum" => "Română",
        "ru" | "rus" => "Русский",
        "sv" | "swe" => "Svenska",
        "th" | "tha" => "ไทย",
        "tr" | "tur" => "Türkçe",
        "uk" | "ukr" => "Українська",
        "vi" | "vie" => "Tiếng Việt",
        "zh" | "zho" | "chi" => "中文",
        _ => tag,
    }
}
