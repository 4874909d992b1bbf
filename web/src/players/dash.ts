import { MediaPlayer, type MediaPlayerClass, type Representation } from 'dashjs';
import { serverUrl } from '../api';
import type { Medium } from '../medium';
import { byQuality, edgeOf, type Host, type Player, type Rung } from './player';

/**
 * Patience for a server that restarts: half a minute, asking twice a second, or ten times with low latency, where half a
 * second is a stall. dash.js gives up after 5 s by itself.
 */
const ATTEMPTS = 60;
const INTERVAL_MS = 500;
const LOW_LATENCY_FACTOR = 5;

/** dash.js. The target latency comes from the manifest's ServiceDescription. */
export class DashPlayer implements Player {
  readonly name: string;
  readonly medium: Medium;
  readonly #player: MediaPlayerClass = MediaPlayer().create();
  readonly #host: Host;
  #chosen: string | null = null;
  #shown: string | null = null;

  constructor(host: Host) {
    this.#host = host;
    this.medium = host.medium;
    this.name = `dash.js ${this.#player.getVersion()}`;
    this.#player.updateSettings({
      streaming: {
        retryAttempts: { ...kinds(ATTEMPTS), lowLatencyMultiplyFactor: LOW_LATENCY_FACTOR },
        retryIntervals: { ...kinds(INTERVAL_MS), lowLatencyReductionFactor: LOW_LATENCY_FACTOR },
        // dash.js would ask a third party when the clock that the manifest names does not answer.
        utcSynchronization: { defaultTimingSource: { scheme: 'urn:mpeg:dash:utc:http-iso:2014', value: serverUrl('time') } },
      },
    });
    this.#player.on(MediaPlayer.events.QUALITY_CHANGE_RENDERED, ({ mediaType, newRepresentation }) => {
      if (mediaType === 'video') this.#shown = newRepresentation?.id ?? null;
    });
    this.#player.on(MediaPlayer.events.ERROR, ({ error }) => {
      const { code, message } = error as { code?: number; message?: string };
      // Asking for the time is repeated by itself.
      if (code !== MediaPlayer.errors.TIME_SYNC_FAILED_ERROR_CODE) host.failed(message ?? `error ${code}`);
    });
    this.#player.initialize(host.medium.element, host.presentation.dash, true);
  }

  rungs(): readonly Rung[] {
    return this.#representations().map(rungOf).sort(byQuality);
  }

  shown(): Rung | null {
    return this.#rung(this.#shown);
  }

  chosen(): Rung | null {
    return this.#rung(this.#chosen);
  }

  choose(rung: Rung | null): void {
    this.#chosen = rung?.id ?? null;
    this.#player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: rung === null } } } });
    // Of a file, half a minute of the old rung is buffered, and replaced; live, the little there is plays out.
    if (rung) this.#player.setRepresentationForTypeById('video', rung.id, !this.#host.presentation.live);
  }

  latency(): number | null {
    if (!this.#host.presentation.live || !this.#player.isReady()) return null;
    const latency = this.#player.getCurrentLiveLatency();
    return Number.isFinite(latency) ? latency : null;
  }

  seekToEdge(): void {
    if (this.#host.presentation.live) this.#player.seekToOriginalLive();
    else this.#host.medium.element.currentTime = edgeOf(this.#host.medium.element, 0);
  }

  destroy(): void {
    this.#player.destroy();
  }

  #representations(): Representation[] {
    return this.#player.isReady() ? this.#player.getRepresentationsByType('video') ?? [] : [];
  }

  #rung(id: string | null): Rung | null {
    const representation = this.#representations().find((candidate) => candidate.id === id);
    return representation ? rungOf(representation) : null;
  }
}

const kinds = (value: number) => ({ MPD: value, MediaSegment: value, InitializationSegment: value });

const rungOf = ({ id, width, height, bandwidth }: Representation): Rung => ({ id, width, height, bitrate: bandwidth });
