-- SPDX-License-Identifier: Apache-2.0
-- The database of two fictional telcos, Acme and Globex. Money is in cents, dates are ISO 8601, months are 'YYYY-MM'.

CREATE TABLE customers (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  city TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE tariffs (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  monthly_cents INTEGER NOT NULL CHECK (monthly_cents > 0),
  gigabytes INTEGER NOT NULL CHECK (gigabytes > 0),
  PRIMARY KEY (tenant, name)
) STRICT;

CREATE TABLE contracts (
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  tariff TEXT NOT NULL,
  started_on TEXT NOT NULL,
  ends_on TEXT NOT NULL,
  cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled IN (0, 1)),
  PRIMARY KEY (tenant, customer),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, id),
  FOREIGN KEY (tenant, tariff) REFERENCES tariffs (tenant, name)
) STRICT;

CREATE TABLE bills (
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  month TEXT NOT NULL CHECK (month GLOB '2[0-9][0-9][0-9]-[01][0-9]'),
  due_on TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'disputed')),
  objection TEXT,
  PRIMARY KEY (tenant, customer, month),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, id)
) STRICT;

CREATE TABLE bill_items (
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  month TEXT NOT NULL,
  description TEXT NOT NULL,
  cents INTEGER NOT NULL,
  PRIMARY KEY (tenant, customer, month, description),
  FOREIGN KEY (tenant, customer, month) REFERENCES bills (tenant, customer, month)
) STRICT;

-- Which bill a conversation spoke of last: what "the one before" refers to.
CREATE TABLE shown_bills (
  tenant TEXT NOT NULL,
  conversation TEXT NOT NULL,
  month TEXT NOT NULL,
  PRIMARY KEY (tenant, conversation)
) STRICT;

CREATE TABLE tickets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  customer TEXT NOT NULL,
  subject TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in progress', 'solved')),
  FOREIGN KEY (tenant, customer) REFERENCES customers (tenant, id)
) STRICT;

CREATE TABLE outages (
  tenant TEXT NOT NULL,
  city TEXT NOT NULL,
  service TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  PRIMARY KEY (tenant, city, service)
) STRICT;
