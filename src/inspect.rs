//! `headwater inspect`: what is in a file or segment, in words.
