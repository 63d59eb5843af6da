// All about one device, in a dialog at the side.

const SPANS = [1, 6, 24, 168];
const REFRESH_CHART_MS = 5000;

// Timelines of repairs and work orders by id, with the version they were read at.
const timelines = new Map();
let view = null;

function openDevice(id) {
  view = { id, metric: null, hours: 24, chartedAt: 0, timer: 0, asked: 0 };
  timelines.clear();
  $('panel').replaceChildren(...frame(id));
  if (!$('panel').open) $('panel').showModal();
  if (location.hash !== `#device=${id}`) history.replaceState(null, '', `#device=${encodeURIComponent(id)}`);
  refreshDevice().catch(showLost);
}

$('panel').addEventListener('close', () => {
  const id = view?.id;
  view = null;
  history.replaceState(null, '', location.pathname);
  if (id) document.getElementById(`tile-${id}`)?.focus();
});
// A click beside the dialog lands on the dialog itself.
$('panel').addEventListener('click', (event) => {
  if (event.target === $('panel')) $('panel').close();
});

function frame(id) {
  const part = (key, ...content) => el('section', {}, el('h3', {}, t(key)), ...content);
  const spans = el('div', { class: 'spans', role: 'group', 'aria-label': t('span') }, SPANS.map((hours) =>
    el('button', { type: 'button', 'data-hours': hours, on: { click: () => pick(view.metric, hours) } }, hours > 24 ? t('days', hours / 24) : t('hours', hours))));
  return [el('div', { class: 'sheet' },
    el('div', { class: 'top' }, el('h2', { id: 'panel-title' }, id),
      el('button', { type: 'button', class: 'plain', 'aria-label': t('close'), title: t('close'), on: { click: () => $('panel').close() } }, icon(CONDITIONS.offline))),
    el('div', { id: 'p-facts' }),
    part('open_finding', el('div', { id: 'p-finding' })),
    part('readings', el('div', { id: 'p-readings', class: 'readings' })),
    el('section', {}, el('div', { class: 'head' }, el('h3', { id: 'p-metric' }, t('history')), spans), el('div', { id: 'p-chart' }, el('p', { class: 'quiet' }, t('pick')))),
    part('timeline', el('ol', { id: 'p-timeline', class: 'timeline' })),
    part('events', el('ol', { id: 'p-events', class: 'timeline' })),
    part('parameters', el('div', { id: 'p-parameters', class: 'readings' })),
    part('rejects', el('ol', { id: 'p-rejects', class: 'timeline' })))];
}

async function refreshDevice() {
  const here = view;
  if (!here) return;
  const device = await get(`/api/v1/devices/${encodeURIComponent(here.id)}`).catch((error) => {
    if (error.status !== 404) throw error;
    if (view === here) $('p-facts').textContent = error.message;
  });
  if (!device || view !== here) return;
  showDevice(device);
  if (!here.metric) pick(firstMetric(device), here.hours);
  else if (Date.now() - here.chartedAt > REFRESH_CHART_MS) await showChart();
  await showTimeline(device, here);
}

function showDevice(device) {
  view.device = device;
  sync($('p-facts'), [device], () => 'facts', () => facts(device));
  const finding = device.finding && device.findings.find(({ id }) => id === device.finding.id);
  sync($('p-finding'), [finding ?? null], () => 'finding', findingDetail);
  syncList($('p-readings'), readingItems(device.readings), ({ name }) => name, readingItem);
  syncList($('p-parameters'), readingItems(device.reported), ({ name }) => name, ({ name, value }) =>
    el('div', { class: 'reading' }, el('span', {}, datapoint(name)), el('b', {}, quantity(value, name))));
  const line = (at, head, text) => el('li', {}, when(at), el('b', {}, head), el('span', {}, text));
  syncList($('p-events'), device.events.slice(0, 10), (event) => `${event.at_ms} ${event.code} ${event.text}`, (event) =>
    line(event.at_ms, event.code, `${plain(event.severity)}${event.text ? `: ${event.text}` : ''}`));
  syncList($('p-rejects'), device.rejects.slice(0, 5), (reject) => `${reject.position} ${reject.field}`, (reject) =>
    line(reject.at_ms, reject.field, reject.reason));
}

function facts(device) {
  const seen = device.last_seen_ms === null ? t('never') : `${device.online ? t('online') : t('offline')} · ${t('seen', MOMENT.format(device.last_seen_ms))}`;
  return el('div', { class: `facts ${device.condition}` }, typeIcon(device.type),
    el('div', {},
      el('p', { class: 'row' }, el('span', { class: 'mark' }, icon(CONDITIONS[device.condition])), el('b', {}, t(`condition.${device.condition}`)), el('span', { class: 'quiet' }, seen)),
      el('p', {}, [typeName(device.type), device.model, device.firmware, device.area, device.tenant].filter(Boolean).join(' · ')),
      el('p', { class: 'small quiet' }, t('facts', device.boot_id ?? '–', device.config_version ?? '–', MOMENT.format(device.registered_ms)))));
}

function findingDetail(finding) {
  if (!finding) return el('p', { class: 'quiet' }, t('no_finding'));
  const seen = finding.evidence.filter(({ state }) => state !== 'unknown');
  const unseen = finding.evidence.filter(({ state }) => state === 'unknown').map(({ symptom }) => plain(symptom));
  const strongest = Math.max(1, ...finding.evidence.map(({ llr }) => Math.abs(llr ?? 0)));
  return el('div', { class: 'diagnosis' },
    el('p', { class: 'row' }, el('b', {}, finding.title), badge(finding.state), when(finding.opened_ms)),
    clamped(finding.explanation),
    el('h4', {}, t('causes')), causeBars(finding.ranked, 8),
    el('h4', {}, t('evidence')),
    el('table', { class: 'evidence' },
      el('thead', {}, el('tr', {}, ['symptom', 'weight', 'why'].map((key) => el('th', { scope: 'col' }, t(key))))),
      el('tbody', {}, seen.map((item) => evidenceRow(item, strongest)))),
    unseen.length > 0 && el('p', { class: 'small quiet' }, t('unseen', unseen.join(', '))));
}

// To the right what speaks for the cause, to the left what speaks against it.
function evidenceRow({ symptom, state, llr, why }, strongest) {
  const bar = el('i', { class: (llr ?? 1) < 0 ? 'against' : 'for' });
  bar.style.width = `${llr === null ? 50 : (Math.abs(llr) / strongest) * 50}%`;
  const sign = llr === null ? '∞' : `${llr > 0 ? '+' : ''}${VALUE.format(Math.round(llr * 100) / 100)}`;
  return el('tr', { class: state },
    el('td', {}, title(symptom), el('span', { class: 'quiet' }, ` ${t(state)}`)),
    el('td', {}, el('span', { class: 'llr', 'aria-hidden': 'true' }, bar), el('span', { class: 'n' }, sign)),
    el('td', {}, why));
}

// Readings are values with their times, parameters are plain values.
function readingItems(values) {
  return Object.entries(values ?? {}).map(([name, entry]) => {
    const timed = entry !== null && typeof entry === 'object' && 'value' in entry;
    const value = timed ? entry.value : entry !== null && typeof entry === 'object' ? JSON.stringify(entry) : entry;
    return { name, value, picked: name === view.metric };
  });
}

// The reading that the strongest evidence names, else the power, else any number.
function firstMetric(device) {
  const drawn = readingItems(device.readings).filter(({ value }) => typeof value !== 'string').map(({ name }) => name);
  const finding = device.finding && device.findings.find(({ id }) => id === device.finding.id);
  const named = (finding?.evidence ?? []).map(({ why }) => drawn.find((name) => why.includes(name))).find(Boolean);
  return named ?? drawn.find((name) => name === 'power_w') ?? drawn[0] ?? null;
}

function readingItem({ name, value, picked }) {
  const content = [el('span', {}, datapoint(name)), el('b', {}, quantity(value, name))];
  if (typeof value === 'string') return el('div', { class: 'reading' }, ...content);
  return el('button', { type: 'button', class: 'reading', 'aria-pressed': String(picked), title: name, on: { click: () => pick(name, view.hours) } }, ...content);
}

function pick(metric, hours) {
  Object.assign(view, { metric, hours });
  if (view.device) syncList($('p-readings'), readingItems(view.device.readings), ({ name }) => name, readingItem);
  for (const button of $('panel').querySelectorAll('[data-hours]')) button.setAttribute('aria-pressed', String(Number(button.dataset.hours) === hours));
  showChart().catch(showLost);
}

async function showChart() {
  const here = view;
  if (!here?.metric) return;
  here.chartedAt = Date.now();
  const asked = ++here.asked;
  const to = nowMs() + 1;
  const query = new URLSearchParams({ metric: here.metric, from_ms: Math.round(to - here.hours * 36e5), to_ms: Math.round(to) });
  const past = await get(`/api/v1/devices/${encodeURIComponent(here.id)}/history?${query}`);
  if (view !== here || asked !== here.asked) return;
  $('p-metric').textContent = `${t('history')}: ${datapoint(here.metric)}${unit(here.metric) && ` (${unit(here.metric)})`}`;
  const marks = [
    ...(here.device?.findings ?? []).map((finding) => ({ at: finding.opened_ms, kind: 'finding' })),
    ...(here.device?.repairs ?? []).map((repair) => ({ at: repair.created_ms, kind: 'repair' })),
  ];
  const content = past.points.length > 0 ? chart(past, marks) : [el('p', { class: 'quiet' }, t('no_points'))];
  if (past.truncated) content.push(el('p', { class: 'small quiet' }, t('cut')));
  $('p-chart').replaceChildren(...content);
}

// Steps of the newest repairs and work orders, newest first; what has not changed is not read again.
async function showTimeline(device, here) {
  const subjects = [
    ...device.repairs.slice(0, 5).map(({ id, version, repair }) => ({ path: 'repairs', id, version, name: title(repair) })),
    ...device.work_orders.slice(0, 3).map(({ id, version, number }) => ({ path: 'work-orders', id, version, name: t('order', number) })),
  ];
  await Promise.all(subjects.filter(({ id, version }) => timelines.get(id)?.version !== version).map(async ({ path, id, version }) => {
    const { timeline } = await get(`/api/v1/${path}/${encodeURIComponent(id)}`);
    timelines.set(id, { version, timeline });
  }));
  if (view !== here) return;
  const steps = subjects.flatMap(({ id, name }) => (timelines.get(id)?.timeline ?? []).map((step) => ({ ...step, id, name })));
  steps.sort((a, b) => b.at_ms - a.at_ms || b.step - a.step);
  syncList($('p-timeline'), steps.slice(0, 40), ({ id, step }) => `${id} ${step}`, (step) =>
    el('li', {}, when(step.at_ms), el('b', {}, step.name), badge(step.state), el('span', { class: 'quiet' }, t('by', step.actor)),
      el('span', { class: 'detail' }, typeof step.detail === 'string' ? step.detail : JSON.stringify(step.detail))));
}
