// Watches a <video> from inside the page, so that a busy test process cannot miss or invent a stall.
// A viewer's complaint is one of: the clock stands (`frozen`), the player says that it waits with nothing buffered
// (`waiting`), the picture leaps (`jump`), the player reports an error (`error`).

const EVERY_MS = 100;
/** The clock standing longer than this is a stall. */
const FROZEN_MS = 500;
/** What happens while a player finds its place is not counted. */
const SETTLE_MS = 2000;
/** A leap of the media clock against the wall clock, in seconds. */
const JUMP_S = 0.5;
/** A `waiting` with more than this buffered is a busy decoder; it counts only if the clock then stands. */
const STARVED_S = 0.5;

class Probe {
  constructor(video) {
    this.video = video;
    this.glass = new Glass(video);
    /** Name and version of what plays. */
    this.player = 'the page';
    this.frames = 0;
    this.complaints = [];
    this.notes = [];
    this.startedAt = null;
    /** Whether the player has said that it came to the end. */
    this.finished = false;
    /** While true, play is only tried, and nothing is judged. */
    this.held = false;
    this.maximumGapMs = 0;
    this.lowestBuffer = Infinity;
    this.last = null;
    this.frozenSince = null;
    this.judgedFrom = null;
    video.addEventListener('waiting', () => this.waiting());
    video.addEventListener('error', () => this.error(`media error ${video.error?.code}: ${video.error?.message}`));
    video.requestVideoFrameCallback(() => this.frame());
    setInterval(() => this.sample(), EVERY_MS);
  }

  get settled() {
    return this.startedAt !== null && performance.now() - this.startedAt > SETTLE_MS;
  }

  get buffer() {
    const { buffered, currentTime } = this.video;
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= currentTime + 0.05 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  complain(kind, text) {
    this.complaints.push({ kind, text, at: Date.now(), currentTime: this.video.currentTime, buffer: this.buffer });
  }

  note(text) {
    if (this.notes.length < 200) this.notes.push({ text, at: Date.now() });
  }

  /** A player's report that it gave up. */
  error(text) {
    if (this.held) this.note(text);
    else this.complain('error', text);
  }

  waiting() {
    if (!this.settled || this.video.ended || this.video.seeking) return;
    if (this.buffer < STARVED_S) this.complain('waiting', 'nothing is buffered');
    else this.note(`waiting with ${this.buffer.toFixed(1)} s buffered`);
  }

  frame() {
    this.frames++;
    this.video.requestVideoFrameCallback(() => this.frame());
  }

  sample() {
    const now = { wall: performance.now(), media: this.video.currentTime };
    if (!this.held && this.startedAt === null && now.media > 0 && !this.video.paused && this.frames > 1) this.startedAt = now.wall;
    if (this.settled && this.last && !this.video.ended && !this.finished) {
      this.lowestBuffer = Math.min(this.lowestBuffer, this.buffer);
      this.compare(this.last, now);
    }
    this.last = now;
  }

  compare(before, now) {
    const wall = (now.wall - before.wall) / 1000;
    const media = now.media - before.media;
    this.maximumGapMs = Math.max(this.maximumGapMs, now.wall - before.wall);
    if (media < -JUMP_S || media > wall * Math.max(1, this.video.playbackRate) + JUMP_S) {
      this.complain('jump', `${media.toFixed(2)} s of media within ${wall.toFixed(2)} s`);
    }
    if (media > 0.01) {
      this.frozenSince = null;
      return;
    }
    this.frozenSince ??= { wall: before.wall, complaint: null };
    const frozen = now.wall - this.frozenSince.wall;
    if (frozen <= FROZEN_MS) return;
    if (!this.frozenSince.complaint) {
      this.complain('frozen', '');
      this.frozenSince.complaint = this.complaints.at(-1);
    }
    this.frozenSince.complaint.seconds = frozen / 1000;
    this.frozenSince.complaint.text = `the clock stood for ${(frozen / 1000).toFixed(1)} s`;
  }

  /** Forgets what was until now. A clock that stands is complained of anew. */
  reset() {
    this.glass.reset();
    this.frozenSince = null;
    this.judgedFrom = { wall: performance.now(), media: this.video.currentTime };
    this.complaints = [];
    this.notes = [];
    this.lowestBuffer = Infinity;
    this.maximumGapMs = 0;
  }

  /** What a test reads. */
  report() {
    const { currentTime, playbackRate, videoWidth, videoHeight, paused, ended } = this.video;
    const { player, startedAt, frames, complaints, notes, lowestBuffer, maximumGapMs, buffer, judgedFrom } = this;
    const judged = judgedFrom && {
      seconds: (performance.now() - judgedFrom.wall) / 1000,
      played: currentTime - judgedFrom.media,
    };
    return { player, judged, started: startedAt !== null, currentTime, playbackRate, size: `${videoWidth}x${videoHeight}`, paused,
      ended: ended || this.finished, frames, buffer, lowestBuffer, maximumGapMs: Math.round(maximumGapMs), complaints, notes, glass: this.glass.report() };
  }

  /** A small grey picture of what is on the screen, as an array of 32 x 18 brightness values. */
  picture() {
    const canvas = new OffscreenCanvas(32, 18);
    const context = canvas.getContext('2d');
    context.drawImage(this.video, 0, 0, 32, 18);
    const { data } = context.getImageData(0, 0, 32, 18);
    return Array.from({ length: 32 * 18 }, (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3);
  }
}

/** Starts watching; returns the element, the URL to play, the player's settings, and the probe. */
function watch() {
  const video = document.querySelector('video');
  window.probe = new Probe(video);
  const query = new URLSearchParams(location.search);
  return { video, url: query.get('url'), settings: JSON.parse(query.get('settings') ?? '{}'), probe: window.probe };
}

// As an init script of our page, this file has no global scope of its own.
globalThis.watch = watch;
