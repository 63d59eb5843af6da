// One datapoint over time, as a line in an SVG.

const CHART = { width: 560, height: 190, left: 46, right: 10, top: 10, bottom: 22 };

// A break in the line where messages are missing: more than this many usual gaps.
const GAP = 5;

function chart({ metric, points, from_ms: from, to_ms: to }, marks) {
  const { width, height, left, right, top, bottom } = CHART;
  const values = points.map((point) => point.value);
  const [low, high, step] = scale(Math.min(...values), Math.max(...values));
  const x = (at) => left + ((at - from) / (to - from)) * (width - left - right);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
  const rows = [];
  for (let value = low; value <= high + step / 2; value += step) rows.push(Math.abs(value) < step / 1e6 ? 0 : value);
  const shape = svg('svg', { viewBox: `0 0 ${width} ${height}`, class: 'chart', role: 'img', 'aria-label': describe(metric, points) },
    rows.map((value) => [
      svg('line', { class: 'rule', x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'tick', x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, VALUE.format(value)),
    ]).flat(),
    times(from, to).map((at) => svg('text', { class: 'tick', x: x(at), y: height - 6, 'text-anchor': 'middle' }, (to - from > 2 * 864e5 ? DAY : MINUTE).format(at))),
    marks.filter(({ at }) => at > from && at < to).map(({ at, kind }) =>
      svg('line', { class: `moment ${kind}`, x1: x(at), x2: x(at), y1: top, y2: height - bottom }, svg('title', {}, `${t(`mark.${kind}`)}, ${DATE.format(at)}`))),
    svg('path', { class: 'line', d: line(points, x, y) }));
  const dot = svg('circle', { class: 'dot', r: 3.5, cx: -9, cy: -9 });
  shape.append(dot);
  const readout = el('output', { class: 'readout' });
  const show = (point) => {
    readout.textContent = t('point', quantity(point.value, metric), DATE.format(point.at_ms));
    dot.setAttribute('cx', x(point.at_ms));
    dot.setAttribute('cy', y(point.value));
  };
  shape.addEventListener('pointermove', (event) => {
    const box = shape.getBoundingClientRect();
    const at = from + (((event.clientX - box.left) / box.width) * width - left) / (width - left - right) * (to - from);
    show(points.reduce((best, point) => (Math.abs(point.at_ms - at) < Math.abs(best.at_ms - at) ? point : best)));
  });
  show(points[points.length - 1]);
  return [shape, readout];
}

function describe(metric, points) {
  const values = points.map((point) => point.value);
  return `${datapoint(metric)}: ${t('range', quantity(Math.min(...values), metric), quantity(Math.max(...values), metric))}`;
}

// Round numbers that hold all values: lowest, highest, step.
function scale(min, max) {
  if (min === max) [min, max] = [min - 1, max + 1];
  const rough = (max - min) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough);
  return [Math.floor(min / step) * step, Math.ceil(max / step) * step, step];
}

// Five moments inside the span.
function times(from, to) {
  return [0.1, 0.3, 0.5, 0.7, 0.9].map((share) => from + share * (to - from));
}

function line(points, x, y) {
  const gaps = points.slice(1).map((point, n) => point.at_ms - points[n].at_ms).sort((a, b) => a - b);
  const usual = gaps[Math.floor(gaps.length / 2)] ?? 0;
  let path = '';
  points.forEach((point, n) => {
    const broken = n === 0 || point.at_ms - points[n - 1].at_ms > GAP * usual;
    path += `${broken ? 'M' : 'L'}${x(point.at_ms).toFixed(1)} ${y(point.value).toFixed(1)}`;
    // A lone point shows as a dot: round caps draw a line of no length.
    if (broken) path += 'h0';
  });
  return path;
}
