use proptest::prelude::*;

use super::*;

/// Ten years of a base that loses an eighth each year.
fn problem() -> LastBuy {
    LastBuy {
        installed_base: (0..10).map(|year| 4_000.0 * 0.875_f64.powi(year)).collect(),
        failure_rate: 0.005,
        rate_uncertainty: 0.0,
        in_stock: 0,
        price: Cents(4_000),
        holding: Cents(200),
        penalty: Cents(30_000),
        salvage: Cents(-100),
        discount: 0.95,
    }
}

/// One period without interest or holding is a newsvendor.
#[test]
fn one_period_is_a_newsvendor() {
    for (price, penalty, salvage, mean) in [(4_000, 10_000, 1_000, 20.0), (500, 600, 0, 3.0), (100, 90_000, -50, 0.7)] {
        let one = LastBuy {
            installed_base: vec![mean],
            failure_rate: 1.0,
            price: Cents(price),
            holding: Cents(0),
            penalty: Cents(penalty),
            salvage: Cents(salvage),
            discount: 1.0,
            ..problem()
        };
        let ratio = (penalty - price) as f64 / (penalty - salvage) as f64;
        let poisson = Poisson::new(mean).unwrap();
        let expected = (0..).find(|&n| poisson.cdf(n) >= ratio).unwrap();
        assert_eq!(u64::from(last_buy(&one).unwrap().quantity), expected);
    }
}

#[test]
fn uncertainty_and_stock_change_the_order() {
    let known = last_buy(&problem()).unwrap();
    assert!(known.expected_demand > 110.0 && known.expected_demand < 120.0);
    assert!(known.quantity > 100 && known.service_probability > 0.5, "{known:?}");
    assert_eq!(last_buy(&LastBuy { in_stock: 50, ..problem() }).unwrap().quantity, known.quantity - 50);
    assert_eq!(last_buy(&LastBuy { in_stock: 500, ..problem() }).unwrap().quantity, 0);
    let unknown = last_buy(&LastBuy { rate_uncertainty: 0.3, ..problem() }).unwrap();
    assert!(unknown.expected_cost_cents > known.expected_cost_cents, "{unknown:?}");
    let never = last_buy(&LastBuy { failure_rate: 0.0, ..problem() }).unwrap();
    assert_eq!((never.quantity, never.service_probability, never.expected_cost_cents), (0, 1.0, 0.0));
    let cheap_penalty = last_buy(&LastBuy { penalty: Cents(3_000), ..problem() }).unwrap();
    assert_eq!((cheap_penalty.quantity, cheap_penalty.expected_cost_cents), (0, cheap_penalty.cost_of_none_cents));
    assert_eq!(
        unknown.why,
        "138 more on top of 0: 117.9 expected over 10 periods, all of it met with 73.5 % probability; costs 8004.53 in \
         all, 28457.34 without an order"
    );
}

#[test]
fn bad_problems_are_named() {
    type Change = fn(&mut LastBuy);
    let cases: [(Change, &str); 8] = [
        (|p| p.installed_base.clear(), "installed_base (length): is 0; give 1 to 600"),
        (|p| p.installed_base[3] = -1.0, "installed_base[3]: is -1; give 0 to 1000000000000"),
        (|p| p.failure_rate = f64::NAN, "failure_rate: is NaN; give a finite number"),
        (|p| p.failure_rate = 1e4, "installed_base × failure_rate (pieces): is 2"),
        (|p| p.rate_uncertainty = -0.1, "rate_uncertainty: is -0.1; give 0 to 10"),
        (|p| p.salvage = Cents(4_000), "salvage: is 4000; give -100000000000 to 3999"),
        (|p| p.penalty = Cents(-1), "penalty: is -1; give 0 to 100000000000"),
        (|p| p.discount = 1.5, "discount: is 1.5; give "),
    ];
    for (change, expected) in cases {
        let mut bad = problem();
        change(&mut bad);
        let refused = last_buy(&bad).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

/// The expected cost of a quantity by playing lives: the demand of each period drawn in turn.
fn played(problem: &LastBuy, quantity: u32, lives: u32) -> f64 {
    let mut state = 42_u64;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let mut sum = 0.0;
    for _ in 0..lives {
        // A gamma rate of shape 4 (uncertainty one half) is a sum of four exponentials.
        let factor = (0..4).map(|_| -unit().ln()).sum::<f64>() / 4.0;
        let (mut stock, mut discount) = (i64::from(quantity), 1.0);
        sum += f64::from(quantity) * problem.price.0 as f64;
        for appliances in &problem.installed_base {
            discount *= problem.discount;
            let mean = appliances * problem.failure_rate * factor;
            let (mut demand, mut clock) = (-1, 0.0);
            while clock < mean {
                clock -= unit().ln();
                demand += 1;
            }
            let missing = (demand - stock.max(0)).clamp(0, demand.max(0));
            stock = (stock - demand).max(0);
            sum += discount * (missing as f64 * problem.penalty.0 as f64 + stock as f64 * problem.holding.0 as f64);
        }
        sum -= discount * stock as f64 * problem.salvage.0 as f64;
    }
    sum / f64::from(lives)
}

#[test]
fn the_expected_cost_is_that_of_lives_played() {
    let small =
        LastBuy { installed_base: vec![500.0, 300.0, 200.0, 100.0], rate_uncertainty: 0.5, discount: 0.9, ..problem() };
    let order = last_buy(&small).unwrap();
    let at = |quantity| played(&small, quantity, 100_000);
    let cost = at(order.quantity);
    assert!((cost / order.expected_cost_cents - 1.0).abs() < 0.01, "{cost} {order:?}");
    assert!((at(0) / order.cost_of_none_cents - 1.0).abs() < 0.01, "{order:?}");
    // Far from the optimum it costs more.
    assert!(at(order.quantity + 4) > cost && at(order.quantity - 3) > cost);
}

proptest! {
    #[test]
    fn one_piece_more_or_less_is_no_cheaper(
        base in prop::collection::vec(0.0..2_000.0, 1..8),
        rate in 0.0..0.01,
        uncertainty in prop::sample::select(vec![0.0, 0.2, 1.0]),
        in_stock in 0_u32..20,
        (price, holding, penalty) in (1_i64..5_000, 0_i64..500, 0_i64..50_000),
        discount in 0.5..=1.0,
    ) {
        let problem = LastBuy {
            installed_base: base,
            failure_rate: rate,
            rate_uncertainty: uncertainty,
            in_stock,
            price: Cents(price),
            holding: Cents(holding),
            penalty: Cents(penalty),
            salvage: Cents(0),
            discount,
        };
        let best = last_buy(&problem).unwrap();
        let demand = problem.cumulative_demand();
        let cost = |quantity| problem.order(quantity, &demand).expected_cost_cents;
        prop_assert!(cost(best.quantity + 1) >= best.expected_cost_cents - 1e-6);
        prop_assert!(best.quantity == 0 || cost(best.quantity - 1) >= best.expected_cost_cents - 1e-6);
        prop_assert!((0.0..=1.0).contains(&best.fill_rate) && (0.0..=1.0).contains(&best.service_probability));
    }
}
