"""Subscriptions and notifications (CIM 009 §5.2.12 - §5.2.15, §5.8, §6.3.8, §7).

What happens to a change:

1. A write job changes entities. Before its group commits, `Notifier._watch` sees each entity as it
   was before the job and as it is, asks the index whom that could concern, and tests it exactly.
2. What matched becomes one message a subscription and job in the store's outbox, in the commit of
   the write: a notification is as durable as its cause.
3. After the commit the message goes into the line of its receiver (`Line`), which keeps the order
   for each entity, sends side by side otherwise, and tries again. What the receiver took is
   deleted with one of the next commits: delivery is at least once, and the id stays the same.

Others may send messages the same way (notifications of registrations §5.11.7, of snapshots):

    deliveries.open(key, Receiver(endpoint, tenant, via), active=True)       # at start, on change
    txn.send(key, about, pack_head(media, context_url), body_of_number)      # in a write job
    forget(txn, key); await deliveries.close_line(key)                       # when it is deleted
    deliveries.counters(key), deliveries.line(key), deliveries.replay(key, after)

where `key` is a text with a prefix of the owner's own, `about` is what `pack_keys` makes of hashes
of what the message is about (order is kept among messages that share one; b"": among all), and
`context_url` becomes the Link header where the body does not hold its @context.
"""

from rynek.context.subscriptions.changing import (
    changed_subscription,
    new_subscription,
    notify_context,
)
from rynek.context.subscriptions.counters import Counters, DeliveryFigures, Health
from rynek.context.subscriptions.deliveries import Deliveries, DeliveryLimits, forget
from rynek.context.subscriptions.line import LineLimits
from rynek.context.subscriptions.members import endpoint as parse_endpoint
from rynek.context.subscriptions.model import Endpoint, Subscription
from rynek.context.subscriptions.opening import has_subscriptions, open_subscriptions
from rynek.context.subscriptions.order import pack_keys
from rynek.context.subscriptions.registry import SubscriptionLimits, Subscriptions
from rynek.context.subscriptions.render import render_subscription
from rynek.context.subscriptions.senders import Receiver, Senders, pack_head

__all__ = [
    "Counters",
    "Deliveries",
    "DeliveryFigures",
    "DeliveryLimits",
    "Endpoint",
    "Health",
    "LineLimits",
    "Receiver",
    "Senders",
    "Subscription",
    "SubscriptionLimits",
    "Subscriptions",
    "changed_subscription",
    "forget",
    "has_subscriptions",
    "new_subscription",
    "notify_context",
    "open_subscriptions",
    "pack_head",
    "pack_keys",
    "parse_endpoint",
    "render_subscription",
]
