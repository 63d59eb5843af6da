"""A device made of Eclipse Paho that does as it is told.

Orders come in on standard input and what happens goes out on standard output, one JSON object a line. The test that
starts it (tests/interop.rs) knows what is right; nothing is judged here.
"""

import argparse
import json
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SAY = threading.Lock()


def say(event, **details):
    with SAY:
        print(json.dumps({"event": event, **details}), flush=True)


def properties(kind, values):
    """MQTT 5 properties of a packet by their names; None if there are none to give."""
    if not values:
        return None
    found = Properties(kind)
    for name, value in values.items():
        setattr(found, name, value.encode() if name == "CorrelationData" else value)
    return found


def told(received):
    """The properties of a packet that came in; there are none in MQTT 3.1.1."""
    return received.json() if received is not None else {}


class Device:
    def __init__(self, options):
        self.options = options
        self.client = None

    def connect(self, id="", user=None, clean=True, keepalive=60, manual_ack=False, window=20, will=None, **more):
        five = self.options.version == 5
        settings = {} if five else {"clean_session": clean}
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=id,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            transport="websockets" if self.options.websocket else "tcp",
            manual_ack=manual_ack,
            reconnect_on_failure=False,
            **settings,
        )
        self.client = client
        client.max_inflight_messages = window
        if self.options.ca:
            client.tls_set(self.options.ca, certfile=self.options.cert, keyfile=self.options.key)
        if user is not None:
            client.username_pw_set(user, "secret")
        if will is not None:
            delay = properties(PacketTypes.WILLMESSAGE, will.get("properties"))
            client.will_set(will["topic"], will["payload"], qos=1, properties=delay)
        client.on_connect = lambda _c, _u, flags, code, props: say(
            "connected", code=code.value, present=flags.session_present, properties=told(props)
        )
        client.on_disconnect = lambda _c, _u, _flags, code, _props: say("disconnected", code=code.value)
        client.on_publish = lambda _c, _u, mid, code, _props: say("published", mid=mid, code=code.value)
        client.on_subscribe = lambda _c, _u, _mid, codes, _props: say("subscribed", codes=[c.value for c in codes])
        client.on_unsubscribe = lambda _c, _u, _mid, codes, _props: say("unsubscribed", codes=[c.value for c in codes])
        client.on_message = lambda _c, _u, message: say(
            "message",
            mid=message.mid,
            topic=message.topic,
            payload=message.payload.decode(),
            qos=message.qos,
            dup=bool(message.dup),
            properties=told(getattr(message, "properties", None)),
        )
        terms = {"clean_start": clean, "properties": properties(PacketTypes.CONNECT, more.get("properties"))}
        try:
            client.connect("localhost", self.options.port, keepalive, **(terms if five else {}))
        except OSError as error:
            say("failed", why=str(error))
            return
        client.loop_start()

    def publish(self, topic, payload, qos=1, retain=False, **more):
        props = properties(PacketTypes.PUBLISH, more.get("properties"))
        self.client.publish(topic, payload, qos=qos, retain=retain, properties=props)

    def subscribe(self, filter, qos=1):
        self.client.subscribe(filter, qos)

    def unsubscribe(self, filter):
        self.client.unsubscribe(filter)

    def ack(self, mid):
        self.client.ack(mid, 1)

    def disconnect(self):
        self.client.disconnect()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", type=int, choices=[4, 5], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--websocket", action="store_true")
    parser.add_argument("--ca", help="speaks TLS, and trusts this authority")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    device = Device(parser.parse_args())
    for line in sys.stdin:
        order = json.loads(line)
        getattr(device, order.pop("do"))(**order)


if __name__ == "__main__":
    main()
