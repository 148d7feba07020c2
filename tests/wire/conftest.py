# SPDX-License-Identifier: MIT
"""Fixtures: a shared server for tests that only add to it, and makers for tests that need their own."""

import pytest

from house import House, Mosquitto


@pytest.fixture(scope="module")
def house():
    """One server for the tests of a file: http.auth token, embedded broker, defaults."""
    shared = House()
    try:
        shared.start()
        yield shared
    finally:
        shared.close()


@pytest.fixture(scope="module")
def open_house():
    """The same with http.auth none."""
    shared = House(sets=["http.auth=none"])
    try:
        shared.start()
        yield shared
    finally:
        shared.close()


@pytest.fixture
def make_house():
    """Makes servers of a test's own; they are stopped, and their stop is checked, at its end."""
    made = []

    def make(*sets, start=True, **how):
        one = House(sets=sets, **how)
        made.append(one)
        return one.start() if start else one

    yield make
    faults = []
    for one in made:
        try:
            one.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def make_broker():
    made = []

    def make(**how):
        made.append(Mosquitto(**how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def outside(make_house, make_broker):
    """A server on a broker that is not its own, where anonymous boards may do all."""
    broker = make_broker()
    house = make_house("mqtt.broker=" + broker.address, "mqtt.anonymous=all", embedded=False)
    house.outside = broker
    return house
