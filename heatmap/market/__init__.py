"""What is known of a market at one moment: quotes, bars, periods, whether figures can be."""
