import type { Rung } from '../players/player';

/** A track as the catalog of docs/wire.md describes it. */
export interface Track {
  readonly name: string;
  /** Ticks per second. */
  readonly timescale: number;
  readonly codec: { readonly codec: string; readonly config: string };
  readonly codec_string: string;
  readonly media: { readonly video?: VideoMedia; readonly audio?: AudioMedia };
  readonly bitrate: number;
}

interface VideoMedia {
  readonly width: number;
  readonly height: number;
  readonly sample_aspect: readonly [number, number];
}

interface AudioMedia {
  readonly sample_rate: number;
  readonly channels: number;
  readonly language: string;
}

export const isVideo = (track: Track): boolean => track.media.video !== undefined;

/** A video track as the page's menu shows it. */
export const rungOf = ({ name, media, bitrate }: Track): Rung =>
  ({ id: name, width: media.video?.width ?? 0, height: media.video?.height ?? 0, bitrate });

/** Milliseconds of a number of ticks. */
export const millis = (ticks: number, { timescale }: Track): number => (ticks / timescale) * 1000;

/** What VideoDecoder takes for a track. */
export const videoConfig = ({ codec, codec_string }: Track): VideoDecoderConfig => ({
  codec: codec_string,
  description: bytes(codec.config),
  optimizeForLatency: true,
  hardwareAcceleration: 'no-preference',
});

/** What AudioDecoder takes for a track. */
export const audioConfig = ({ codec, codec_string, media }: Track): AudioDecoderConfig => ({
  codec: codec_string,
  description: bytes(codec.config),
  sampleRate: media.audio?.sample_rate ?? 48_000,
  numberOfChannels: media.audio?.channels ?? 2,
});

/** What SourceBuffer takes for a track. */
export const mimeType = (track: Track): string => `${isVideo(track) ? 'video' : 'audio'}/mp4; codecs="${track.codec_string}"`;

const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
