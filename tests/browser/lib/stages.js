/** Stages of the server, in the words of its metrics. */
const STAGES = {
  capture_to_encoded: 'capture of a sample → encoded',
  encoded_to_packaged: 'last sample of a part encoded → part can be fetched',
  packaged_to_first_byte: 'part can be fetched → its first byte is sent to who waited',
  capture_to_packaged: 'capture of a part\'s first sample → part can be fetched',
};

/**
 * What the server's own stages took on average since it began, as Markdown.
 *
 * @param {string} metrics what `/metrics` says
 * @param {string[]} tracks to tell of
 */
export function stagesTable(metrics, tracks) {
  const line = ([stage, words]) => {
    const cells = tracks.map((track) => {
      const [sum, count] = ['sum', 'count'].map((kind) => total(metrics, `headwater_${stage}_seconds_${kind}`, track));
      return count ? `${((sum / count) * 1000).toFixed(1)} ms` : '–';
    });
    return `| ${[words, ...cells].join(' | ')} |`;
  };
  return [
    `| in the server, on average | ${tracks.join(' | ')} |`,
    `|---|${'---|'.repeat(tracks.length)}`,
    ...Object.entries(STAGES).map(line),
  ].join('\n');
}

/** Sum of all series of a name and a track. */
function total(metrics, name, track) {
  return metrics.split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(`track="${track}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
