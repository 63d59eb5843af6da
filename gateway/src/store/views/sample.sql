-- A small fleet, one device in each condition, for the tests of views and API.
-- Devices "heard" in 2096 are online whenever the tests run; AC-3 was heard in 1970.

INSERT INTO device (id, tenant, type, model, secret, area, lat, lon, registered_ms) VALUES
  ('AC-1', 'home', 'split-ac', 'AC-35', '', 'north', 52.52, 13.40, 1000),
  ('AC-2', 'home', 'split-ac', 'AC-35', '', 'north', 52.53, 13.41, 1000),
  ('AC-3', 'home', 'split-ac', 'AC-35', '', 'south', 52.45, 13.38, 1000),
  ('GW-1', 'home', 'gas-water-heater', 'GW-16', '', 'south', 52.46, 13.39, 1000),
  ('GW-2', 'home', 'gas-water-heater', 'GW-16', '', 'south', 52.47, 13.37, 1000),
  ('RF-1', 'home', 'refrigerator', 'RF-420', '', 'north', 52.54, 13.42, 1000);

INSERT INTO twin (device, last_seen_ms, boot_id, firmware, config_version, readings, reported) VALUES
  ('AC-1', 4000000000000, 3, '1.4.0', 2, '{"room_temp_c":{"value":23.5,"at_ms":70000},"compressor_hz":{"value":41.0,"at_ms":70000},"mode":{"value":"cool","at_ms":70000}}', '{"max_hz":90,"parameter_set":"ac35-eu"}'),
  ('AC-2', 4000000000000, 1, '1.4.0', 1, '{}', '{}'),
  ('AC-3', 60000, 1, '', 0, '{}', '{}'),
  ('GW-1', 4000000000000, 7, '2.0.1', 1, '{}', '{}'),
  ('RF-1', 4000000000000, 2, '3.1.0', 4, '{}', '{}');

INSERT INTO event (device, position, at_ms, code, severity, text) VALUES
  ('AC-1', 10, 40000, 'E6', 'error', 'indoor fan feedback'),
  ('AC-1', 12, 50000, 'E6', 'info', 'cleared');

INSERT INTO finding (id, device, cause, title, probability, state, reopened, ranked, evidence, explanation, opened_ms, closed_ms, version) VALUES
  ('f-ac1-old', 'AC-1', 'control_loop_hung', 'Control loop hangs', 0.91, 'resolved', 0, '[{"cause":"control_loop_hung","probability":0.91}]', '[]', 'Frequency frozen.', 20000, 30000, 4),
  ('f-ac1', 'AC-1', 'indoor_fan_controller_hung', 'Indoor fan controller hangs', 0.97, 'repairing', 1, '[{"cause":"indoor_fan_controller_hung","probability":0.97},{"cause":"refrigerant_leak","probability":0.02}]', '[{"symptom":"indoor_fan_stopped","state":"present","llr":4.2,"why":"0 of 900 rpm for 3 min"},{"symptom":"coil_warm","state":"absent","llr":-1.5,"why":"coil at 2 °C"},{"symptom":"code_e6","state":"present","llr":null,"why":"E6"}]', 'The indoor fan stands although it is told to run.', 60000, NULL, 2),
  ('f-ac2', 'AC-2', 'refrigerant_leak', 'Refrigerant is low', 0.62, 'open', 0, '[{"cause":"refrigerant_leak","probability":0.62},{"cause":"compressor_valve_worn","probability":0.31}]', '[]', 'Coil warm at high frequency.', 61000, NULL, 1),
  ('f-gw1', 'GW-1', 'flame_rod_fouled', 'Flame rod is fouled', 0.99, 'handed_over', 0, '[{"cause":"flame_rod_fouled","probability":0.99}]', '[{"symptom":"flame_current_low","state":"present","llr":5.0,"why":"0.6 µA while burning"}]', 'Flame current fell before the flame was lost.', 61000, NULL, 3);

INSERT INTO repair (id, finding, device, cause, repair, action, arguments, risk, body_hash, state, reason, attempt, command_id, fence, issued_by, approved_by, created_ms, updated_ms, version) VALUES
  ('r-1', 'f-ac1-old', 'AC-1', 'control_loop_hung', 'restart_loop', 'soft_reset', '{}', 'R1', 'aa11', 'verified', 'held for 20 min', 1, '0190b6a4-0000-7000-8000-000000000001', 4, 'gateway', NULL, 21000, 29000, 7),
  ('r-2', 'f-ac1', 'AC-1', 'indoor_fan_controller_hung', 'free_fan', 'power_cycle_controller', '{"delay_s":15}', 'R1', 'bb22', 'verifying', 'device: done', 1, '0190b6a4-0000-7000-8000-000000000002', 5, 'gateway', NULL, 62000, 66000, 6),
  ('r-3', NULL, 'RF-1', '', 'reset_parameters', 'restore_parameters', '{}', 'R3', 'cc33', 'awaiting_approval', 'asked for by sam', 1, NULL, NULL, 'sam', NULL, 63000, 63000, 1);

INSERT INTO timeline (subject, step, at_ms, state, actor, detail) VALUES
  ('r-2', 1, 62000, 'queued', 'gateway', 'fan stands'),
  ('r-2', 2, 63000, 'dispatched', 'gateway', ''),
  ('r-2', 3, 64000, 'device_succeeded', 'device', '{"measured":{"indoor_fan_rpm":880}}'),
  ('r-2', 4, 66000, 'verifying', 'gateway', ''),
  ('r-3', 1, 63000, 'awaiting_approval', 'sam', 'asked for by sam'),
  ('w-1', 1, 61500, 'open', 'diagnosis', 'flame failure is never cleared from afar'),
  ('w-1', 2, 61900, 'assigned', 'gateway', 'nearest with the skill');

INSERT INTO location (id, kind, name, parent, lat, lon) VALUES
  ('central', 'central', 'Central store', NULL, 52.50, 13.30),
  ('van 1', 'van', 'Van of Mia', 'central', 52.46, 13.36);

INSERT INTO technician (id, name, lat, lon, skills, areas, capacity, rating, van) VALUES
  ('t-1', 'Mia Berg', 52.46, 13.36, '["gas","electric"]', '["south"]', 5, 4.8, 'van 1'),
  ('t-2', 'Tom Ray', 52.52, 13.41, '["cooling"]', '["north","south"]', 4, 4.5, 'van 1');

INSERT INTO work_order (id, number, finding, device, source, cause, title, state, priority, why, skill, area, sop, posterior, evidence, kit, technician, starts_ms, assignment, confirmed, created_ms, updated_ms, closed_ms, version) VALUES
  ('w-0', 1, 'f-gw1', 'GW-1', 'diagnosis', 'igniter_dead', 'Igniter is dead', 'completed', 'normal', 'a part is needed', 'gas', 'south', 'Fit the igniter.', '[]', '[]', '[]', 't-1', 30000, '{}', 'igniter_dead', 20000, 40000, 40000, 6),
  ('w-1', 2, 'f-gw1', 'GW-1', 'diagnosis', 'flame_rod_fouled', 'Flame rod is fouled', 'assigned', 'urgent', 'flame failure is never cleared from afar', 'gas', 'south', 'Close the gas. Clean or replace the rod.', '[{"cause":"flame_rod_fouled","probability":0.99}]', '[]', '[{"part":"flame_rod","quantity":1,"location":"van 1","reserved":true},{"part":"igniter","quantity":1,"location":null,"reserved":false}]', 't-1', 90000, '{"score":0.91,"why":"gas, 1.2 km, free at 9:00"}', NULL, 61500, 61900, NULL, 2);

INSERT INTO ledger (entry, at_ms, kind, location, part, on_hand, reserved, work_order, actor) VALUES
  (1, 1000, 'receive', 'central', 'flame_rod', 10, 0, NULL, 'sam'),
  (2, 2000, 'receive', 'van 1', 'flame_rod', 2, 0, NULL, 'sam'),
  (3, 2000, 'receive', 'van 1', 'igniter', 1, 0, NULL, 'sam'),
  (4, 61900, 'reserve', 'van 1', 'flame_rod', 0, 1, 'w-1', 'gateway'),
  (5, 62000, 'consume', 'van 1', 'igniter', -1, 0, 'w-0', 't-1');

INSERT INTO reject (position, at_ms, device, channel, field, reason, head) VALUES
  (7, 30000, 'AC-1', 'tlm', 'room_temp_c', 'is NaN, must be a number', '{"readings":'),
  (9, 31000, 'AC-2', 'tlm', 'payload', 'neither JSON nor protobuf', '??'),
  (11, 32000, 'AC-1', 'evt', 'code', 'is missing', '{}');
