import Hls, { ErrorTypes, Events, type HlsConfig, type Level } from 'hls.js';
import type { Medium } from '../medium';
import { byQuality, edgeOf, type Host, type Player, type Rung } from './player';

/** Patience for a server that restarts: half a minute, asking every two seconds at most. */
const PATIENCE = { maxNumRetry: 16, retryDelayMs: 500, maxRetryDelayMs: 2000 };

/** How much faster it may play, to come to the target latency at the start and back to it after a stall. */
const CATCH_UP = 1.1;

/** hls.js. The target latency is the playlist's PART-HOLD-BACK, or HOLD-BACK where there are no parts. */
export class HlsPlayer implements Player {
  readonly name = `hls.js ${Hls.version}`;
  readonly medium: Medium;
  readonly #hls: Hls;
  readonly #host: Host;
  #levels: Level[] = [];
  #rungs: Rung[] = [];
  #repaired = false;

  constructor(host: Host) {
    this.#host = host;
    this.medium = host.medium;
    this.#hls = new Hls(settings());
    this.#hls.on(Events.MANIFEST_PARSED, (_, { levels }) => {
      this.#levels = levels;
      this.#rungs = levels.map(rungOf).sort(byQuality);
    });
    this.#hls.on(Events.ERROR, (_, { fatal, type, details }) => {
      if (fatal) this.#recover(type, details);
    });
    this.#hls.loadSource(host.presentation.hls);
    this.#hls.attachMedia(host.medium.element);
  }

  rungs(): readonly Rung[] {
    return this.#rungs;
  }

  shown(): Rung | null {
    return this.#rungAt(this.#hls.currentLevel);
  }

  chosen(): Rung | null {
    return this.#hls.autoLevelEnabled ? null : this.#rungAt(this.#hls.manualLevel);
  }

  choose(rung: Rung | null): void {
    this.#hls.nextLevel = rung ? this.#levels.findIndex((level) => rungOf(level).id === rung.id) : -1;
  }

  latency(): number | null {
    const { playingDate } = this.#hls;
    return this.#host.presentation.live && playingDate ? (this.#host.now() - playingDate.getTime()) / 1000 : null;
  }

  seekToEdge(): void {
    this.#host.medium.element.currentTime = this.#hls.liveSyncPosition ?? edgeOf(this.#host.medium.element, 6);
  }

  destroy(): void {
    this.#hls.destroy();
  }

  #rungAt(index: number): Rung | null {
    const level = this.#levels[index];
    return level ? rungOf(level) : null;
  }

  /** A decoder's trouble is tried to repair once; for the rest the page starts afresh. */
  #recover(type: ErrorTypes, details: string): void {
    if (type === ErrorTypes.MEDIA_ERROR && !this.#repaired) {
      this.#repaired = true;
      this.#hls.recoverMediaError();
    } else {
      this.#host.failed(details);
    }
  }
}

function settings(): Partial<HlsConfig> {
  const { playlistLoadPolicy, fragLoadPolicy } = Hls.DefaultConfig;
  return {
    // CMAF needs no transmuxing, so there is nothing for a worker to do.
    enableWorker: false,
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: CATCH_UP,
    liveDurationInfinity: true,
    backBufferLength: 60,
    playlistLoadPolicy: { default: { ...playlistLoadPolicy.default, errorRetry: PATIENCE, timeoutRetry: PATIENCE } },
    fragLoadPolicy: { default: { ...fragLoadPolicy.default, errorRetry: PATIENCE, timeoutRetry: PATIENCE } },
  };
}

const rungOf = ({ width, height, bitrate, name }: Level): Rung => ({ id: `${height}-${bitrate}-${name ?? ''}`, width, height, bitrate });
