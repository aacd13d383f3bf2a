"""Fressian, tape's default codec."""
