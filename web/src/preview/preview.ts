import { hasWebCodecs, type Host, type Player } from '../players/player';
import type { Route } from '../route';
import { CanvasPreview } from './canvas';
import { MsePreview } from './mse';

/** Frames are decoded here where the browser can, else it is left to Media Source Extensions. */
export const previewPlayer = (decode: Route['decode']): new (host: Host) => Player =>
  (decode !== 'mse' && hasWebCodecs() && !CanvasPreview.undecodable ? CanvasPreview : MsePreview);
