import { byId, setText } from './dom';
import type { Session } from './session';
import { latencyWords } from './words';

/** What lies on the picture of a player that can tell: how old the picture is, and what it costs to keep it young. */
export class Overlay {
  readonly #figures = byId('overlay');
  readonly #note = byId('note');

  show(session: Session | null): void {
    const player = session?.player;
    const insight = player?.insight?.();
    const shown = player?.shown();
    const visible = insight !== undefined && shown != null;
    this.#figures.hidden = !visible;
    if (visible) {
      setText(this.#figures, [
        latencyWords(player?.latency() ?? null),
        `${shown.height}p`,
        ...(insight.jitter === null ? [] : [`waits ${Math.round(insight.jitter)} ms`]),
        `${insight.skips} skipped`,
      ].join(' · '));
    }
    // Not hidden but emptied: a screen reader tells what comes into a region that is there already.
    setText(this.#note, insight?.note ?? '');
  }
}
