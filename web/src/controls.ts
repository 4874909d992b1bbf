import { byId, make, setIcon, setText } from './dom';
import type { Medium } from './medium';
import type { Rung } from './players/player';
import type { Session } from './session';
import { clockWords, latencyWords, rungWords } from './words';

/** Further behind the edge than this, in seconds, there is a way back to it. */
const BEHIND = 15;
const IDLE_MS = 3000;

/** Play, sound, position, quality, full screen: under the picture, and on the keyboard. */
export class Controls {
  readonly #stage = byId('stage');
  readonly #play = byId<HTMLButtonElement>('play');
  readonly #mute = byId<HTMLButtonElement>('mute');
  readonly #unmute = byId<HTMLButtonElement>('unmute');
  readonly #seek = byId<HTMLInputElement>('seek');
  readonly #edge = byId<HTMLButtonElement>('edge');
  readonly #rungs = byId<HTMLSelectElement>('rungs');
  readonly #clock = byId<HTMLOutputElement>('clock');
  #session: Session | null = null;
  #dragging = false;
  #offered = '';
  #idle: ReturnType<typeof setTimeout> | undefined;

  /** @param idle what is on the screen while there is no session */
  constructor(private readonly idle: Medium) {
    const fullscreen = byId<HTMLButtonElement>('fullscreen');
    setIcon(fullscreen, 'fullscreen', 'Full screen');
    fullscreen.addEventListener('click', () => void this.#fullscreen());
    this.#play.addEventListener('click', () => this.#toggle());
    byId('screen').addEventListener('click', ({ target }) => { if (target === this.#medium.element) this.#toggle(); });
    for (const button of [this.#mute, this.#unmute]) button.addEventListener('click', () => this.#toggleSound());
    this.#edge.addEventListener('click', () => this.#session?.player?.seekToEdge());
    this.#seek.addEventListener('input', () => { this.#dragging = true; });
    this.#seek.addEventListener('change', () => {
      this.#dragging = false;
      this.#medium.seek(Number(this.#seek.value));
    });
    this.#rungs.addEventListener('change', () => this.#chooseRung());
    document.addEventListener('keydown', (event) => this.#key(event));
    for (const kind of ['pointermove', 'pointerdown', 'keydown', 'focusin']) this.#stage.addEventListener(kind, () => this.#wake());
  }

  get #medium(): Medium {
    return this.#session?.medium ?? this.idle;
  }

  show(session: Session | null): void {
    this.#session = session;
    const { paused, muted } = this.#medium;
    setIcon(this.#play, paused ? 'play' : 'pause', paused ? 'Play' : 'Pause');
    setIcon(this.#mute, muted ? 'muted' : 'sound', muted ? 'Sound on' : 'Mute');
    this.#unmute.hidden = !muted || session?.phase !== 'playing';
    this.#showPosition(session?.presentation.live ?? false, session?.player?.latency() ?? null);
    this.#showRungs(session?.player?.rungs() ?? [], session?.player?.chosen() ?? null);
  }

  #showPosition(live: boolean, latency: number | null): void {
    const { seekable, currentTime, duration } = this.#medium;
    const { start, end } = seekable ?? { start: currentTime, end: currentTime };
    const behind = end - currentTime;
    this.#seek.disabled = end <= start;
    this.#edge.hidden = !live || behind < BEHIND;
    if (!this.#dragging) {
      this.#seek.min = String(start);
      this.#seek.max = String(end || 1);
      this.#seek.value = String(currentTime);
    }
    this.#seek.style.setProperty('--done', `${end > start ? ((Number(this.#seek.value) - start) / (end - start)) * 100 : 0}%`);
    const text = live
      ? (behind < BEHIND ? ['Live', ...(latency === null ? [] : [latencyWords(latency)])].join(' · ') : `−${clockWords(behind)}`)
      : `${clockWords(currentTime)} / ${clockWords(Number.isFinite(duration) ? duration : 0)}`;
    setText(this.#clock, text);
    this.#seek.setAttribute('aria-valuetext', text);
  }

  #showRungs(rungs: readonly Rung[], chosen: Rung | null): void {
    const key = JSON.stringify(rungs);
    if (key !== this.#offered) {
      this.#offered = key;
      this.#rungs.replaceChildren(
        make('option', { value: '' }, 'Auto'),
        ...rungs.map((rung) => make('option', { value: rung.id }, rungWords(rung))),
      );
      this.#rungs.disabled = rungs.length < 2;
    }
    if (document.activeElement !== this.#rungs) this.#rungs.value = chosen?.id ?? '';
  }

  #chooseRung(): void {
    const player = this.#session?.player;
    player?.choose(player.rungs().find(({ id }) => id === this.#rungs.value) ?? null);
  }

  #toggle(): void {
    const medium = this.#medium;
    if (!medium.paused) return medium.pause();
    // After a long pause the window has moved on.
    const gone = medium.seekable !== null && medium.currentTime < medium.seekable.start;
    if (gone) this.#session?.player?.seekToEdge();
    void medium.play().catch(() => {});
  }

  #toggleSound(): void {
    const medium = this.#medium;
    medium.muted = !medium.muted;
  }

  async #fullscreen(): Promise<void> {
    const video = this.#medium.element as HTMLElement & { webkitEnterFullscreen?: () => void };
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (document.fullscreenEnabled) await this.#stage.requestFullscreen();
    else video.webkitEnterFullscreen?.();
  }

  #key(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    const pressing = event.key === ' ' && (event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement);
    if (typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    const actions: Record<string, () => void> = {
      ' ': () => this.#toggle(),
      k: () => this.#toggle(),
      m: () => this.#toggleSound(),
      f: () => void this.#fullscreen(),
      ArrowLeft: () => this.#medium.seek(this.#medium.currentTime - 5),
      ArrowRight: () => this.#medium.seek(this.#medium.currentTime + 5),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** In full screen the bar fades when nobody needs it. */
  #wake(): void {
    this.#stage.classList.remove('idle');
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stage.classList.add('idle'), IDLE_MS);
  }
}
