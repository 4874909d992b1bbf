// Lets no sound out before the page is tapped, as browsers on phones do. The browser's own policy cannot be tried here: to it,
// whatever a test evaluates in the page is a gesture.
{
  let tapped = false;
  addEventListener('pointerup', () => { tapped = true; }, true);
  const { resume } = AudioContext.prototype;
  AudioContext.prototype.resume = function () {
    return tapped ? resume.call(this) : new Promise(() => {});
  };
  globalThis.AudioContext = class extends AudioContext {
    constructor(options) {
      super(options);
      void this.suspend();
    }
  };
}
