// The lists of the page, each from one answer of the API.

const shown = new Set(Object.keys(CONDITIONS));
let fleet = [];
let allShown = true;

function showCounts(overview, perSecond) {
  const { devices, messages, findings, repairs, work_orders: orders } = overview;
  const open = findings.open + findings.repairing + findings.handed_over;
  const openOrders = orders.total - orders.completed - orders.canceled;
  const waiting = repairs.awaiting_approval > 0 ? ` · ${t('sub.approval', COUNT.format(repairs.awaiting_approval))}` : '';
  const rows = [
    ['devices', devices.online, t('sub.devices', COUNT.format(devices.registered))],
    ['messages', messages.accepted, t('sub.messages', COUNT.format(perSecond), COUNT.format(messages.rejected))],
    ['findings', open, t('sub.findings', COUNT.format(findings.total))],
    ['repairs', repairs.verified, t('sub.repairs', COUNT.format(repairs.under_way), COUNT.format(repairs.not_verified)) + waiting],
    ['orders', openOrders, t('sub.orders', COUNT.format(orders.completed))],
  ];
  sync($('counts'), rows, ([key]) => key, ([key, count, sub]) =>
    el('div', {}, el('dt', {}, t(`count.${key}`)), el('dd', {}, el('b', {}, COUNT.format(count)), el('span', { class: 'quiet' }, sub))));
  const health = $('health');
  health.textContent = t(`health.${overview.health}`);
  health.className = `pill ${overview.health === 'ok' ? 'good' : 'bad'}`;
  const speed = overview.speed > 1 ? ` · ${t('speed', VALUE.format(overview.speed))}` : '';
  $('clock').textContent = `${DAY.format(overview.now_ms)}, ${CLOCK.format(overview.now_ms)}${speed}`;
}

function showDevices(devices, complete) {
  [fleet, allShown] = [devices, complete];
  const counts = Object.keys(CONDITIONS).map((condition) => ({
    condition, count: devices.filter((device) => device.condition === condition).length, pressed: shown.has(condition),
  }));
  sync($('legend'), counts, ({ condition }) => condition, legendEntry);
  const types = [...new Set(devices.map(({ type }) => type))].sort();
  sync($('types'), [...types, null], String, (type) => (type === null
    ? el('li', {}, el('span', { class: 'dashed', 'aria-hidden': 'true' }), t('offline'))
    : el('li', {}, typeIcon(type), typeName(type))));
  const visible = devices.filter((device) => shown.has(device.condition));
  const tile = ({ id, type, condition, online, finding }) => ({ id, type, condition, online, title: finding?.title });
  sync($('grid'), visible.map(tile), ({ id }) => id, deviceTile);
  const tiles = [...$('grid').querySelectorAll('button')];
  if (!tiles.some((tile) => tile.tabIndex === 0)) tiles[0]?.setAttribute('tabindex', '0');
  $('more').hidden = complete && visible.length > 0;
  $('more').textContent = devices.length === 0 ? t('none') : visible.length === 0 ? t('no_match') : t('more', COUNT.format(devices.length));
}

function legendEntry({ condition, count, pressed }) {
  const toggle = () => {
    if (shown.has(condition)) shown.delete(condition);
    else shown.add(condition);
    showDevices(fleet, allShown);
  };
  const name = t(`condition.${condition}`);
  return el('button', { type: 'button', class: `key ${condition}`, 'aria-pressed': String(pressed), 'aria-label': t('filter', name, count), on: { click: toggle } },
    el('span', { class: 'mark' }, icon(CONDITIONS[condition])), name, el('b', {}, COUNT.format(count)));
}

function deviceTile({ id, type, condition, online, title: cause }) {
  const word = t(`condition.${condition}`);
  const label = [id, typeName(type), word, cause, online ? t('online') : t('offline')].filter(Boolean).join(', ');
  const current = document.activeElement?.id === `tile-${id}`;
  return el('button', {
    type: 'button', id: `tile-${id}`, class: `tile ${condition}${online ? '' : ' away'}`, tabindex: current ? 0 : -1, 'aria-label': label, title: label,
    on: { click: () => openDevice(id) },
  }, typeIcon(type), el('span', { class: 'id' }, id), el('span', { class: 'mark' }, icon(CONDITIONS[condition])), el('span', { class: 'what' }, cause ?? word));
}

// One tile takes part in the tab order; arrows move between tiles.
$('grid').addEventListener('keydown', (event) => {
  const tiles = [...$('grid').querySelectorAll('button')];
  const at = tiles.indexOf(document.activeElement);
  if (at < 0) return;
  const columns = Math.max(1, tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: tiles.length - 1 }[event.key];
  if (to === undefined || !tiles[to]) return;
  event.preventDefault();
  tiles[at].tabIndex = -1;
  tiles[to].tabIndex = 0;
  tiles[to].focus();
});

function findingCard(finding) {
  return el('article', { class: `card ${MOODS[finding.state] ?? 'busy'}` },
    el('div', { class: 'row' }, typeIcon(finding.device_type), el('h3', {}, finding.title), badge(finding.state)),
    el('p', { class: 'row quiet' }, deviceLink(finding.device), when(finding.opened_ms), finding.reopened > 0 && t('reopened')),
    causeBars(finding.ranked, 3),
    finding.explanation && clamped(finding.explanation));
}

function chain(repair) {
  const states = repair.states.length > 0 ? repair.states : [{ state: repair.state, at_ms: repair.updated_ms }];
  return el('ol', { class: 'chain' }, states.map(({ state, at_ms: at }, index) =>
    el('li', { class: index === states.length - 1 ? MOODS[state] ?? 'busy' : 'past', title: DATE.format(at) }, t(`state.${state}`))));
}

function repairCard(repair) {
  const attempt = repair.attempt > 1 ? t('attempt', repair.attempt) : null;
  return el('article', { class: `card ${MOODS[repair.state] ?? 'busy'}` },
    el('div', { class: 'row' }, el('h3', {}, title(repair.repair)), el('span', { class: 'risk' }, repair.risk)),
    el('p', { class: 'row quiet' }, deviceLink(repair.device), when(repair.created_ms), t('by', repair.issued_by), attempt),
    chain(repair),
    repair.reason && el('p', { class: 'small' }, repair.reason));
}

function kit(items) {
  if (items.length === 0) return el('p', { class: 'small quiet' }, `${t('kit')}: ${t('no_kit')}`);
  return el('ul', { class: 'kit', 'aria-label': t('kit') }, items.map((item) => {
    const held = item.reserved ? t('held', item.location ?? '?') : t('wanted');
    return el('li', { class: item.reserved ? 'held' : 'wanted', title: held }, `${item.quantity} × ${plain(item.part)}`, el('span', {}, held));
  }));
}

function orderCard(order) {
  const who = order.technician_name ?? order.technician ?? t('no_technician');
  return el('article', { class: `card ${MOODS[order.state] ?? 'people'}` },
    el('div', { class: 'row' }, el('h3', {}, `#${order.number} ${order.title}`), order.priority !== 'normal' && el('span', { class: 'risk' }, plain(order.priority)), badge(order.state)),
    el('p', { class: 'row quiet' }, deviceLink(order.device), order.area),
    el('p', { class: 'row' }, icon(CONDITIONS.handed_over), el('b', {}, who), order.starts_ms && el('span', {}, t('starts', DATE.format(order.starts_ms)))),
    el('p', { class: 'small' }, order.confirmed ? t('confirmed', plain(order.confirmed)) : order.why),
    kit(order.kit));
}

function stockRow(stock) {
  const kind = stock.location_name.toLowerCase().includes(stock.location_kind) ? null : el('span', { class: 'quiet' }, ` ${plain(stock.location_kind)}`);
  return el('tr', { class: stock.available <= 0 ? 'empty' : null }, el('td', {}, stock.location_name, kind), el('td', {}, title(stock.part)),
    el('td', { class: 'n' }, COUNT.format(stock.on_hand)), el('td', { class: 'n' }, COUNT.format(stock.reserved)), el('td', { class: 'n' }, COUNT.format(stock.available)));
}

function rejectRow(reject) {
  return el('tr', {}, el('td', {}, when(reject.at_ms)), el('td', {}, deviceLink(reject.device)),
    el('td', {}, el('code', {}, reject.field)), el('td', {}, reject.reason));
}
