import { isVideo, rungOf, type Track } from './catalog';
import { Ladder, ROOM, type Wish } from './ladder';
import { Link } from './link';
import { LOST, type Note, noteOf, OVERLOADED, TOO_SLOW } from './notes';
import type { Chunk, Init, Media, Message, ServerEvent } from './wire';
import type { Rung } from '../players/player';

/** What is done with what is sent. */
export interface Sink {
  /** What comes next comes with a key frame, and out of the server's cache. */
  restart(): void;
  /** These tracks are sent from here on. */
  selected(video: Track | null, audio: Track | null): void;
  media(message: Media | Init | Chunk, track: Track): void;
}

/** A note that is on the screen. */
export interface Saying {
  readonly text: string;
  /** Milliseconds since the Unix epoch; `null` until something else is said. */
  readonly until: number | null;
}

/** How it is going, for the page. */
export interface Progress {
  /** Those that can be decoded here, best first. */
  readonly rungs: readonly Rung[];
  readonly connected: boolean;
  /** When the socket was opened, in milliseconds since the Unix epoch; 0 before. */
  readonly openedAt: number;
  /** As the server tells the state of the channel. */
  readonly state: string;
  /** Frames that the server left out for this line. */
  readonly skipped: number;
  readonly note: Saying | null;
  /** Frames can come, but nothing of what is sent can be decoded here. */
  readonly undecodable: boolean;
}

/** One viewer's side of docs/wire.md: connects, says what it wants, and keeps to that over new connections. */
export class Viewing {
  readonly #link: Link;
  readonly #ladder = new Ladder();
  #tracks: readonly Track[] = [];
  readonly #refused = new Set<string>();
  /** The video track that the server takes for the best one wanted. */
  #asked: string | null = null;
  #shown: Track | null = null;
  #paused = false;
  #progress: Progress = { rungs: [], connected: false, openedAt: 0, state: 'starting', skipped: 0, note: null, undecodable: false };

  /**
   * @param base URL of the socket
   * @param format as in its query
   * @param supported whether a track can be decoded here
   */
  constructor(
    private readonly base: string,
    private readonly format: 'frames' | 'cmaf',
    private wish: Wish,
    private readonly supported: (track: Track) => Promise<boolean>,
    private readonly sink: Sink,
    private readonly changed: (progress: Progress) => void,
  ) {
    this.#link = new Link({
      url: () => this.#url(),
      opened: () => this.#opened(),
      message: (message) => this.#message(message),
      closed: (reason) => this.#closed(reason),
    });
  }

  want(wish: Wish): void {
    this.wish = wish;
    this.#ask();
  }

  pause(): void {
    this.#paused = true;
    this.#link.send({ control: 'pause' });
  }

  resume(): void {
    this.#paused = false;
    this.sink.restart();
    this.#link.send({ control: 'resume' });
  }

  /** The decoder fell behind what is shown. */
  overloaded(): void {
    if (!this.#shown || !this.#ladder.overloaded(rungOf(this.#shown), performance.now())) return;
    if (this.#ask()) this.#say(OVERLOADED);
  }

  close(): void {
    this.#link.close();
  }

  #url(): string {
    const url = new URL(this.base);
    if (this.#asked !== null) url.searchParams.set('video', this.#asked);
    else url.searchParams.set('height', String(Math.floor(this.wish.height * ROOM)));
    if (this.format !== 'frames') url.searchParams.set('format', this.format);
    return url.href;
  }

  #opened(): void {
    this.sink.restart();
    if (this.#paused) this.#link.send({ control: 'pause' });
    this.#say(null);
    this.#tell({ connected: true, openedAt: Date.now() });
  }

  #closed(reason: 'lost' | 'slow' | 'ended'): void {
    const note = reason === 'ended' ? null : reason === 'slow' ? TOO_SLOW : LOST;
    if (reason === 'slow') this.#takeSmallest();
    this.#say(note);
    this.#tell({ connected: false, ...(reason === 'ended' ? { state: 'ended' } : {}) });
  }

  /** A line that was too slow for the smallest picture begins with that, and keeps to it for a while. */
  #takeSmallest(): void {
    const [smallest, next] = this.#rungs().slice(-2).reverse();
    if (!smallest) return;
    if (next) this.#ladder.relieve(next, performance.now());
    this.#asked = smallest.id;
  }

  #message(message: Message): void {
    switch (message.type) {
      case 'catalog': return this.#catalog(message.tracks);
      case 'event': return this.#event(message.event);
      case 'ping': case 'pong': return;
      default: {
        const track = this.#tracks[message.track];
        if (track && !this.#paused) this.sink.media(message, track);
      }
    }
  }

  #catalog(tracks: readonly Track[]): void {
    this.#tracks = tracks;
    this.#tell({ rungs: this.#rungs() });
    // Media follows at once and is tried; what the decoder knows is heard of a few milliseconds later.
    for (const track of tracks) void this.#examine(track);
  }

  async #examine(track: Track): Promise<void> {
    if (await this.supported(track)) this.#refused.delete(track.name);
    else this.#refused.add(track.name);
    const undecodable = [true, false].some((video) => {
      const kind = this.#tracks.filter((candidate) => isVideo(candidate) === video);
      return kind.length > 0 && kind.every(({ name }) => this.#refused.has(name));
    });
    this.#tell({ rungs: this.#rungs(), undecodable });
    this.#ask();
  }

  #event(event: ServerEvent): void {
    const note = noteOf(event, this.#tracks);
    if (event.event === 'selected') this.#selected(event);
    if (event.event === 'skipped') {
      this.sink.restart();
      this.#tell({ skipped: this.#progress.skipped + event.frames });
    }
    if (event.event === 'state') this.#tell({ state: event.state });
    // Of a state that is over, nothing has to be said any more.
    if (note || event.event === 'state') this.#say(note);
  }

  #selected({ video, audio, why }: { video: number | null; audio: number | null; why: string }): void {
    const [picture, sound] = [video, audio].map((index) => this.#tracks[index ?? -1] ?? null);
    this.#shown = picture ?? null;
    if (why === 'start') this.#asked ??= picture?.name ?? null;
    this.sink.selected(picture ?? null, sound ?? null);
    this.#ask();
  }

  /** Asks for another rung, if it is not the one that was asked for. */
  #ask(): boolean {
    const name = this.#ladder.ceiling(this.#rungs(), this.wish, performance.now())?.id;
    const index = this.#tracks.findIndex((track) => track.name === name);
    if (name === undefined || index < 0 || name === this.#asked || this.#asked === null) return false;
    this.#asked = name;
    this.#link.send({ control: 'select', video: index });
    return true;
  }

  #rungs(): Rung[] {
    return this.#tracks.filter((track) => isVideo(track) && !this.#refused.has(track.name)).map(rungOf);
  }

  #say(note: Note | null): void {
    this.#tell({ note: note && { text: note.text, until: note.lasts === null ? null : Date.now() + note.lasts } });
  }

  #tell(news: Partial<Progress>): void {
    this.#progress = { ...this.#progress, ...news };
    this.changed(this.#progress);
  }
}
