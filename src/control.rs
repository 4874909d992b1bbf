//! The control listener: health, state of the channels. Never on the media port.
