import type { Progress } from './viewing';

/** What the viewer shall read now. */
export const noteNow = ({ note }: Progress): string | null =>
  (note && (note.until === null || Date.now() < note.until) ? note.text : null);
