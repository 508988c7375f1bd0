-- SPDX-License-Identifier: Apache-2.0
-- Fictional customers of fictional companies. All dates lie in fixed months of 2026, so that every run says the same.

INSERT INTO customers (tenant, id, name, city) VALUES
  ('acme', 'anna', 'Anna Berg', 'Bonn'),
  ('acme', 'ben', 'Ben Okafor', 'Cologne'),
  ('acme', 'clara', 'Clara Novak', 'Leipzig'),
  ('globex', 'gus', 'Gus Hartmann', 'Hamburg'),
  ('globex', 'hana', 'Hana Sato', 'Kiel');

INSERT INTO tariffs (tenant, name, monthly_cents, gigabytes) VALUES
  ('acme', 'Mobile S', 1995, 5),
  ('acme', 'Mobile M', 3995, 20),
  ('acme', 'Mobile L', 5995, 80),
  ('globex', 'Flat 10', 1499, 10),
  ('globex', 'Flat 50', 2999, 50);

INSERT INTO contracts (tenant, customer, tariff, started_on, ends_on) VALUES
  ('acme', 'anna', 'Mobile M', '2024-10-01', '2026-09-30'),
  ('acme', 'ben', 'Mobile S', '2025-04-01', '2027-03-31'),
  ('acme', 'clara', 'Mobile L', '2025-01-15', '2027-01-14'),
  ('globex', 'gus', 'Flat 10', '2025-07-01', '2026-12-31'),
  ('globex', 'hana', 'Flat 50', '2024-12-01', '2026-11-30');

INSERT INTO bills (tenant, customer, month, due_on, status) VALUES
  ('acme', 'anna', '2026-01', '2026-02-14', 'paid'),
  ('acme', 'anna', '2026-02', '2026-03-14', 'paid'),
  ('acme', 'anna', '2026-03', '2026-04-14', 'paid'),
  ('acme', 'anna', '2026-04', '2026-05-14', 'paid'),
  ('acme', 'anna', '2026-05', '2026-06-14', 'paid'),
  ('acme', 'anna', '2026-06', '2026-07-14', 'open'),
  ('acme', 'ben', '2026-01', '2026-02-14', 'paid'),
  ('acme', 'ben', '2026-02', '2026-03-14', 'paid'),
  ('acme', 'ben', '2026-03', '2026-04-14', 'paid'),
  ('acme', 'ben', '2026-04', '2026-05-14', 'paid'),
  ('acme', 'ben', '2026-05', '2026-06-14', 'paid'),
  ('acme', 'ben', '2026-06', '2026-07-14', 'open'),
  ('acme', 'clara', '2026-01', '2026-02-14', 'paid'),
  ('acme', 'clara', '2026-02', '2026-03-14', 'paid'),
  ('acme', 'clara', '2026-03', '2026-04-14', 'paid'),
  ('acme', 'clara', '2026-04', '2026-05-14', 'paid'),
  ('acme', 'clara', '2026-05', '2026-06-14', 'paid'),
  ('acme', 'clara', '2026-06', '2026-07-14', 'open'),
  ('globex', 'gus', '2026-01', '2026-02-14', 'paid'),
  ('globex', 'gus', '2026-02', '2026-03-14', 'paid'),
  ('globex', 'gus', '2026-03', '2026-04-14', 'paid'),
  ('globex', 'gus', '2026-04', '2026-05-14', 'paid'),
  ('globex', 'gus', '2026-05', '2026-06-14', 'paid'),
  ('globex', 'gus', '2026-06', '2026-07-14', 'open'),
  ('globex', 'hana', '2026-01', '2026-02-14', 'paid'),
  ('globex', 'hana', '2026-02', '2026-03-14', 'paid'),
  ('globex', 'hana', '2026-03', '2026-04-14', 'paid'),
  ('globex', 'hana', '2026-04', '2026-05-14', 'paid'),
  ('globex', 'hana', '2026-05', '2026-06-14', 'paid'),
  ('globex', 'hana', '2026-06', '2026-07-14', 'open');

INSERT INTO bill_items (tenant, customer, month, description, cents) VALUES
  ('acme', 'anna', '2026-01', 'Mobile M', 3995),
  ('acme', 'anna', '2026-02', 'Mobile M', 3995),
  ('acme', 'anna', '2026-03', 'Mobile M', 3995),
  ('acme', 'anna', '2026-03', 'Roaming in Switzerland', 2195),
  ('acme', 'anna', '2026-04', 'Mobile M', 3995),
  ('acme', 'anna', '2026-05', 'Mobile M', 3995),
  ('acme', 'anna', '2026-05', 'Calls to Norway', 480),
  ('acme', 'anna', '2026-06', 'Mobile M', 3995),
  ('acme', 'ben', '2026-01', 'Mobile S', 1995),
  ('acme', 'ben', '2026-02', 'Mobile S', 1995),
  ('acme', 'ben', '2026-03', 'Mobile S', 1995),
  ('acme', 'ben', '2026-04', 'Mobile S', 1995),
  ('acme', 'ben', '2026-04', 'Extra data, 5 GB', 500),
  ('acme', 'ben', '2026-05', 'Mobile S', 1995),
  ('acme', 'ben', '2026-06', 'Mobile S', 1995),
  ('acme', 'ben', '2026-06', 'Service numbers', 1290),
  ('acme', 'clara', '2026-01', 'Mobile L', 5995),
  ('acme', 'clara', '2026-02', 'Mobile L', 5995),
  ('acme', 'clara', '2026-02', 'Roaming in Turkey', 3450),
  ('acme', 'clara', '2026-03', 'Mobile L', 5995),
  ('acme', 'clara', '2026-04', 'Mobile L', 5995),
  ('acme', 'clara', '2026-05', 'Mobile L', 5995),
  ('acme', 'clara', '2026-06', 'Mobile L', 5995),
  ('globex', 'gus', '2026-01', 'Flat 10', 1499),
  ('globex', 'gus', '2026-02', 'Flat 10', 1499),
  ('globex', 'gus', '2026-03', 'Flat 10', 1499),
  ('globex', 'gus', '2026-04', 'Flat 10', 1499),
  ('globex', 'gus', '2026-05', 'Flat 10', 1499),
  ('globex', 'gus', '2026-05', 'Extra data, 2 GB', 399),
  ('globex', 'gus', '2026-06', 'Flat 10', 1499),
  ('globex', 'hana', '2026-01', 'Flat 50', 2999),
  ('globex', 'hana', '2026-02', 'Flat 50', 2999),
  ('globex', 'hana', '2026-03', 'Flat 50', 2999),
  ('globex', 'hana', '2026-03', 'Calls to Japan', 1820),
  ('globex', 'hana', '2026-04', 'Flat 50', 2999),
  ('globex', 'hana', '2026-05', 'Flat 50', 2999),
  ('globex', 'hana', '2026-06', 'Flat 50', 2999);

INSERT INTO tickets (id, tenant, customer, subject, status) VALUES
  (1001, 'acme', 'anna', 'SIM card does not arrive', 'solved'),
  (1002, 'acme', 'ben', 'No signal in the basement', 'in progress'),
  (1003, 'acme', 'clara', 'Voicemail does not answer', 'open'),
  (1004, 'globex', 'gus', 'Router loses its connection at night', 'in progress'),
  (1005, 'acme', 'anna', 'Internet slow in the evening', 'in progress');

INSERT INTO outages (tenant, city, service, ends_at) VALUES
  ('acme', 'Bonn', 'mobile internet', '2026-07-02 18:00'),
  ('globex', 'Kiel', 'landline', '2026-07-03 09:00');
