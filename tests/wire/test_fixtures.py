# SPDX-License-Identifier: MIT
"""The tests' own tools do what the tests rely on."""

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import pictures
from fake_broker import FakeBroker
from peers import Peer
from umqtt_like import UmqttLike


def test_two_pictures_made_here_differ_and_say_their_size():
    assert pictures.jpeg("a") != pictures.jpeg("b")
    assert pictures.jpeg_size(pictures.jpeg("a", 640, 480)) == (640, 480)


@pytest.mark.parametrize("qos, stops", [(0, False), (1, False), (2, True)])
def test_the_old_client_stops_at_a_qos_2_message_only(make_broker, qos, stops):
    broker = make_broker()
    board, heard = UmqttLike(broker.port, "board"), []
    board.subscribe("todevice")
    sender = Peer(broker.port)
    sender.publish("todevice", "lock", qos)
    if stops:
        with pytest.raises(AssertionError):
            board.wait_msg(lambda *m: heard.append(m))
    else:
        board.wait_msg(lambda *m: heard.append(m))
    assert heard == [(b"todevice", b"lock")]
    board.close()
    sender.close()


def test_the_fake_broker_understands_an_independent_client():
    broker = FakeBroker()
    client, properties = mqtt.Client(protocol=mqtt.MQTTv5), Properties(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = 7
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish("a/b", "hello", 2, properties=properties).wait_for_publish(10)
    sent = broker.wait("PUBLISH").fields
    assert (sent["topic"], sent["payload"], sent["qos"]) == ("a/b", b"hello", 2)
    assert sent["properties"] == {2: 7}
    assert broker.wait("PUBREL").fields["pid"] == sent["pid"]
    client.disconnect()
    client.loop_stop()
    broker.close()
