//! MPEG-DASH: the media presentation description (ISO/IEC 23009-1).
