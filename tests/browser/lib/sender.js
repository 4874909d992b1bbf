import { once } from 'node:events';
import { spawn } from 'node:child_process';

/** A camera: ffmpeg sending moving pictures and a tone as MPEG-TS over UDP, the same to all its ports. */
export class Sender {
  #child = null;

  constructor(...ports) {
    [this.port] = ports;
    this.ports = ports;
  }

  plugIn() {
    this.#child = spawn('ffmpeg', [
      '-hide_banner', '-loglevel', 'error', '-re',
      '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25',
      '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000',
      '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '25', '-b:v', '800k', '-pix_fmt', 'yuv420p',
      '-c:a', 'aac', '-b:a', '96k',
      // As those of a good encoder are, timestamps are the time: then it is not by chance that two receivers agree.
      '-muxdelay', '0', '-muxpreload', '0', '-output_ts_offset', String(Math.floor(Date.now() / 1000)),
      '-map', '0:v', '-map', '1:a',
      '-f', 'tee', this.ports.map((port) => `[f=mpegts]udp://127.0.0.1:${port}?pkt_size=1316`).join('|'),
    ], { stdio: 'ignore' });
  }

  async unplug() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
