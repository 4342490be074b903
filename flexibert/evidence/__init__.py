"""What a result is worth: models believed by all their trainings, differences with intervals, and the sentences.

This room knows the ground floor and the space alone: numbers come in, numbers and sentences go out.
"""
