"""What a gate run tells people and programs."""
