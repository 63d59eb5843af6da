// Every word of the page, by language; a second language is a second table.
const TEXT = {
  en: {
    skip: 'Skip to the devices', devices: 'Devices', findings: 'Latest findings', repairs: 'Remote repairs',
    orders: 'Work orders', stock: 'Stock', rejects: 'Refused messages',
    location: 'Location', part: 'Part', on_hand: 'On hand', reserved: 'Reserved', available: 'Available',
    when: 'When', device: 'Device', field: 'Field', reason: 'Reason', symptom: 'Symptom', weight: 'Weight', why: 'Why',
    'count.devices': 'Devices online', 'count.messages': 'Messages', 'count.findings': 'Open findings',
    'count.repairs': 'Repairs verified', 'count.orders': 'Open work orders',
    'sub.devices': 'of {0}', 'sub.messages': '{0}/s · {1} refused', 'sub.findings': '{0} in all',
    'sub.repairs': '{0} under way · {1} failed', 'sub.approval': '{0} await approval',
    'sub.orders': '{0} completed',
    'health.ok': 'All parts work', 'health.degraded': 'A part has failed', lost: 'No answer from the gateway. Trying again…',
    speed: '{0}× time', 'theme.auto': 'Theme: auto', 'theme.light': 'Theme: light', 'theme.dark': 'Theme: dark',
    more: 'The first {0} devices are shown.', none: 'None yet.', no_match: 'No device is in the conditions chosen.',
    'condition.healthy': 'Healthy', 'condition.finding': 'Finding', 'condition.repairing': 'Repairing',
    'condition.handed_over': 'Handed over', 'condition.offline': 'Offline',
    filter: 'Show {0}: {1}', close: 'Close', all: 'Show all', less: 'Show less', online: 'online', offline: 'not heard lately', never: 'never heard',
    seen: 'heard {0}', ago: '{0} ago', now: 'now',
    'type.split-ac': 'Split air conditioner', 'type.refrigerator': 'Refrigerator',
    'type.gas-water-heater': 'Gas water heater', 'type.power-meter': 'Metered outlet',
    'state.open': 'open', 'state.on_site': 'on site',
    by: 'by {0}', attempt: 'attempt {0}', reopened: 'came back', no_technician: 'nobody assigned yet',
    starts: 'from {0}', kit: 'Kit', no_kit: 'no parts', held: 'reserved at {0}', wanted: 'not reserved', confirmed: 'Found on site: {0}',
    readings: 'Readings', parameters: 'Parameters', history: 'History', open_finding: 'Open finding', causes: 'Causes',
    evidence: 'Evidence', timeline: 'What was done', events: 'Events', no_finding: 'Nothing is known to be wrong.',
    no_readings: 'It has not reported yet.', no_points: 'No history in this span.', cut: 'Only the first points are shown.',
    pick: 'Pick a reading to see its history.', span: 'Span', hours: '{0} h', days: '{0} d', order: 'Work order {0}',
    facts: 'Boot {0} · configuration {1} · registered {2}', 'mark.finding': 'finding', 'mark.repair': 'repair',
    yes: 'yes', no: 'no', present: 'present', absent: 'absent', unknown: 'unknown', unseen: 'Too little was seen to tell: {0}.', point: '{0} at {1}', range: '{0} to {1}',
  },
};
const WORDS = TEXT[document.documentElement.lang] ?? TEXT.en;
const LOCALE = { en: 'en-GB' }[document.documentElement.lang] ?? 'en-GB';

function t(key, ...values) {
  const word = WORDS[key] ?? plain(key.slice(key.indexOf('.') + 1));
  return word.replace(/\{(\d)\}/g, (_, n) => String(values[n]));
}

// A key of the catalogue for people: `fan_motor` is `fan motor`.
function plain(key) {
  return String(key).replaceAll('_', ' ');
}

function title(key) {
  const text = plain(key);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const COUNT = new Intl.NumberFormat(LOCALE);
const VALUE = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 4, useGrouping: false });
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTE = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'short' });
const MOMENT = new Intl.DateTimeFormat(LOCALE, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const DATE = new Intl.DateTimeFormat(LOCALE, { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

function percent(share) {
  return share > 0 && share < 0.01 ? '<1 %' : `${Math.round(share * 100)} %`;
}

// How long before the gateway's now.
function ago(atMs, nowMs) {
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000));
  if (seconds < 5) return t('now');
  const [size, unit] = seconds < 90 ? [1, 's'] : seconds < 5400 ? [60, 'min'] : seconds < 172800 ? [3600, 'h'] : [86400, 'd'];
  return t('ago', `${Math.round(seconds / size)} ${unit}`);
}

// Units by the last part of a datapoint's name, as the catalogue spells them.
const UNITS = {
  c: '°C', k: 'K', w: 'W', wh: 'Wh', a: 'A', v: 'V', hz: 'Hz', rpm: 'rpm', lpm: 'l/min', pct: '%', ua: 'µA', s: 's', min: 'min',
};

function unit(name) {
  return UNITS[name.slice(name.lastIndexOf('_') + 1)] ?? '';
}

function datapoint(name) {
  const at = name.lastIndexOf('_');
  return title(at > 0 && UNITS[name.slice(at + 1)] ? name.slice(0, at) : name);
}

function quantity(value, name) {
  if (typeof value === 'number') return `${VALUE.format(value)} ${unit(name)}`.trim();
  if (typeof value === 'boolean') return t(value ? 'yes' : 'no');
  return value === '' || value === null ? '–' : String(value);
}
