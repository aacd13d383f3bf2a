"""The JVM peer: a Java program, and the Python side of it. Use ``tests.kit.jvm_peer``."""
